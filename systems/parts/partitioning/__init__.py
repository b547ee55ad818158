"""Ways to partition keys among nodes, one per file: pure, without I/O, usable on their own.

```python
ring = ConsistentHashing(Members.named("a", "b", "c"))
ring.owner("user:17")                # one node
ring.owners("user:17", 2)            # distinct nodes, for replicas
ring.owners_of(keys)                 # many keys at once
after = ring.with_members(ring.members.added(Member("d")))
plan(ring, after).share              # the share of keys that move
```
"""
