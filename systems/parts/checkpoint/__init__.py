"""Checkpoints of a training job: sharded, hashed, atomic. A checkpoint that cannot be trusted is refused, with the reason.

A checkpoint is one file of tensors for each rank (`safetensors`, which holds numbers and nothing executable) and a manifest,
written last, which names the files with their SHA-256 and carries its own. safetensors has no checksum, and `torch.load` checks
none: a flipped bit comes back as another weight. Here every byte of every file is covered by a hash that is checked before a
tensor is made of it.

Every file carries the name of the node that writes it, and no other node writes it. So a rank or a coordinator that was frozen
in the middle of a write and replaced can, when it thaws, overwrite only what it wrote itself, which no newer checkpoint needs.

Files rotate through `keep + 1` slots, and each is replaced atomically (temporary file, fsync, rename, fsync of the folder). So
the last `keep` checkpoints stay readable while the next is written, nothing has to be deleted, and a crash leaves no litter. If
checkpoints are not completed for a while (a full disk, no coordinator), the last complete one is not overwritten.

Import from the modules: `manifest` and `refusals` do not need PyTorch; `saver` and `store` do.
"""
