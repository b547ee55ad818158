"""The kinds of calls that checkers know, and how keys and values of each are spelled.

| kind | what was asked | `key` | `value` |
| --- | --- | --- | --- |
| `write` | set a register | the register | what is written, null to delete it; values of a key should differ |
| `read` | read an object of any kind | the object | what was found; null: nothing there |
| `cas` | set a register if it holds a value | the register | `[held, new]`; refused: `[old, new, false]`, and `held` if told |
| `delete` | delete a register, or empty a set | the register or set | null |
| `append` | add an element to the end of a log, or text to the end of a text | the log or text | the element, the added text |
| `increment`, `decrement` | add to a counter, subtract from it | the counter | a whole number; null is 1 |
| `add`, `remove` | put an element into a set, take it out | the set | the element |
| `contains` | ask whether a set has an element | the set | `[element, true]` or `[element, false]` |
| `send`, `publish`, `enqueue` | hand a message over | the topic, or `topic/order key` | the message |
| `receive`, `dequeue` | take the next message | the topic, or `topic/subscription` | the message; null: there was none |
| `poll` | take some messages | as of `receive` | a JSON array of messages, in order; `[]`: there was none |
| `ack` | say that a message has been dealt with | as of `receive` | the message |
| `acquire` | take a lock | the lock | its fencing token, a whole number; null: it has none; `false`: refused |
| `release` | give the lock back | the lock | null; `false`: refused |
| `generate` | ask for a new id | the namespace | the id |
| `txn` | several reads and writes at once | none | `[["append", "x", 3], ["r", "x", [1, 3]], ["w", "y", 7], ["r", "y", 7]]` |
| `leader` | ask who leads | the group | `{"leader": "n1", "term": 3}` |

A `read` of a set or a log returns a JSON array of its elements; of a counter, a whole number; of a text, all of it. An element
or message in a JSON array that is not a string is compared by its JSON text: `["a", 1]` holds `a` and `1`.

`harness.model.objects` defines the calls of registers, counters, sets, locks and queues.

A topic is the part of a key before the first "/", or the whole key if it has none. Each subscription (a consumer group;
or a client, if each gets everything) is due every message of its topic, from the beginning. With no "/" a topic is one
queue.
"""

from __future__ import annotations

from typing import Final

READ: Final = "read"
WRITE: Final = "write"
DELETE: Final = "delete"
INCREMENT: Final = "increment"
DECREMENT: Final = "decrement"
ADD: Final = "add"
REMOVE: Final = "remove"
SENDS: Final = ("send", "publish", "enqueue")
POLL: Final = "poll"
RECEIVES: Final = ("receive", "dequeue", POLL)
ACK: Final = "ack"
ACQUIRE: Final = "acquire"
RELEASE: Final = "release"
REFUSED: Final = "false"
GENERATE: Final = "generate"
LEADER: Final = "leader"

ELSEWHERE: Final = frozenset({*SENDS, *RECEIVES, ACK, ACQUIRE, RELEASE, GENERATE, LEADER, "contains"})
"""Calls that change no register, counter, set, log or text, whatever their key."""

KNOWN: Final = ELSEWHERE | {READ, WRITE, "cas", DELETE, "append", INCREMENT, DECREMENT, ADD, REMOVE, "txn"}
"""The kinds of the table above. Calls of any other kind may have changed anything."""
