"""Checkpoints of a training job: sharded, hashed, atomic. A checkpoint that cannot be trusted is refused, with the reason.

A checkpoint is one file of tensors for each rank (`safetensors`, which holds numbers and nothing executable) and a manifest,
written last, which names the files with their SHA-256 and carries its own. safetensors has no checksum, and `torch.load` checks
none: a flipped bit comes back as another weight. Here every byte of every file is covered by a hash that is checked before a
tensor is made of it.

Every file carries the name of the node that writes it, and no other node writes it. So a rank or a coordinator that was frozen
in the middle of a write and replaced can, when it thaws, overwrite only what it wrote itself, which no newer checkpoint needs.

Files rotate through `keep + 1` slots, and each is replaced atomically (temporary file, fsync, rename, fsync of the folder). So
the last `keep` checkpoints stay readable while the next is written, nothing has to be deleted, and a crash leaves no litter. If
checkpoints are not completed for a while (a full disk, no coordinator), the last complete one is not overwritten. A checkpoint
is complete if it has a manifest and its files are all its own: each says in its header for which checkpoint it was written.

A rank looks for the last complete one before it writes, and again right before its new file takes the place of the old one.
One case is left: a rank is frozen between that look and the rename; meanwhile a coordinator that was frozen too completes a
checkpoint whose file the rank is about to replace; and no checkpoint in between was completed.

Import from the modules: `manifest`, `refusals` and `stamps` do not need PyTorch; `saver` and `store` do.
"""
