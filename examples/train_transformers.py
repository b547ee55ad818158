"""A training script that knows nothing of the harness: a small transformer with the Trainer of Hugging Face's transformers.

    torchrun --nproc-per-node 2 train_transformers.py --steps 200     needs: pip install transformers accelerate

It learns from which of two texts a line comes. The texts are generated here, so nothing is downloaded. It saves a checkpoint
every 20 steps.
"""

import argparse
import gc
import os
from pathlib import Path

import torch
import torch.distributed as dist
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint


class Lines(torch.utils.data.Dataset):
    def __init__(self, count):
        generator = torch.Generator().manual_seed(0)
        self.labels = torch.randint(0, 2, (count,), generator=generator)
        self.lines = torch.randint(0, 64, (count, 16), generator=generator) + 64 * self.labels[:, None]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {"input_ids": self.lines[index], "labels": self.labels[index]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--output", default="checkpoints")
    args = parser.parse_args()

    config = BertConfig(
        vocab_size=128,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=32,
    )
    training = TrainingArguments(
        output_dir=args.output,
        max_steps=args.steps,
        per_device_train_batch_size=16,
        save_steps=20,
        save_total_limit=2,
        logging_steps=50,
        report_to="none",
        use_cpu=True,
        ddp_backend="gloo",
        seed=1,
    )
    torch.manual_seed(1)
    trainer = Trainer(model=BertForSequenceClassification(config), args=training, train_dataset=Lines(4096))
    last = get_last_checkpoint(args.output) if Path(args.output).is_dir() and os.listdir(args.output) else None
    trainer.train(resume_from_checkpoint=last)
    del trainer
    gc.collect()  # the trainer holds the group: gloo's threads would outlive Python and abort the process
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
