"""Ways to divide keys among nodes, one a file: pure, without I/O, for use by themselves.

```python
ring = ConsistentHashing(Members.named("a", "b", "c"))
ring.owner("user:17")                # one node
ring.owners("user:17", 2)            # distinct nodes, for replicas
ring.owners_of(keys)                 # many keys at once
after = ring.with_members(ring.members.added(Member("d")))
plan(ring, after).share              # how much moves
```
"""
