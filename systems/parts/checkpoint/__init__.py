"""Checkpoints of a training job: sharded, hashed, atomic. A checkpoint that cannot be trusted is refused, with the reason.

A checkpoint is one file of tensors for each rank (`safetensors`, which holds numbers and nothing executable) and a manifest,
written last, which names the files with their SHA-256 and carries its own. safetensors has no checksum, and `torch.load` checks
none: a flipped bit comes back as another weight. Here every byte of every file is covered by a hash that is checked before a
tensor is made of it.

Files rotate through `keep + 1` slots, and each is replaced atomically (temporary file, fsync, rename, fsync of the folder). So
the last `keep` checkpoints stay readable while the next is written, nothing has to be deleted, and a crash leaves no litter. If
checkpoints are not completed for a while (a full disk, no coordinator), the last complete one is not overwritten.

Import from the modules: `manifest` and `refusals` do not need PyTorch; `saver` and `store` do.
"""
