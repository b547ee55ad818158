"""Checkpoints of a training job: sharded, hashed, atomic. What cannot be trusted is refused, and the reason is told.

A checkpoint is one file of tensors for each rank (`safetensors`, which holds numbers and nothing that could be executed) and a
manifest, written last, that names the files with a SHA-256 of each and carries one of itself. safetensors has no checksum, and
neither has `torch.save` in a form that it checks when it loads: a flipped bit comes back as another weight. Here every byte of
every file is under a hash that is checked before a tensor is made of it.

Files take turns in `keep + 1` slots, each put in place whole (temporary file, fsync, rename, fsync of the folder). So the last
`keep` checkpoints stay readable while the next is written, nothing has to be deleted, and a crash leaves no litter.

Import from the modules: `manifest` and `refusals` do without PyTorch, which `saver` and `store` need.
"""
