"""A training script that knows nothing of the harness: DistributedDataParallel with torchrun, as in the tutorials.

    torchrun --nproc-per-node 2 train.py --epochs 5

It saves a snapshot after every epoch and resumes from the last one, so that torchrun can restart it.
"""

import argparse
import gc
import os

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


class Trainer:
    def __init__(self, model, data, optimizer, save_every, snapshot_path):
        self.rank = dist.get_rank()
        self.data = data
        self.optimizer = optimizer
        self.save_every = save_every
        self.snapshot_path = snapshot_path
        self.epochs_run = 0
        self.model = model
        if os.path.exists(snapshot_path):
            self.load_snapshot()
        self.model = DDP(model)

    def load_snapshot(self):
        snapshot = torch.load(self.snapshot_path, weights_only=True)
        self.model.load_state_dict(snapshot["model"])
        self.optimizer.load_state_dict(snapshot["optimizer"])
        self.epochs_run = snapshot["epochs_run"]
        print(f"[rank {self.rank}] resuming at epoch {self.epochs_run}", flush=True)

    def save_snapshot(self, epoch):
        snapshot = {
            "model": self.model.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epochs_run": epoch + 1,
        }
        torch.save(snapshot, f"{self.snapshot_path}.part")
        os.replace(f"{self.snapshot_path}.part", self.snapshot_path)

    def run_epoch(self, epoch):
        self.data.sampler.set_epoch(epoch)
        for images, labels in self.data:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
        return loss.item()

    def train(self, epochs):
        for epoch in range(self.epochs_run, epochs):
            loss = self.run_epoch(epoch)
            if self.rank == 0:
                print(f"epoch {epoch}: loss {loss:.4f}", flush=True)
                if epoch % self.save_every == 0:
                    self.save_snapshot(epoch)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--save-every", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--snapshot", default="snapshot.pt")
    args = parser.parse_args()

    dist.init_process_group("gloo")
    torch.manual_seed(0)
    digits = load_digits()
    dataset = TensorDataset(torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target))
    data = DataLoader(dataset, batch_size=args.batch_size, sampler=DistributedSampler(dataset))
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    Trainer(model, data, optimizer, args.save_every, args.snapshot).train(args.epochs)
    gc.collect()  # DDP is a reference cycle that holds the group: gloo's threads would outlive Python and abort the process
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
