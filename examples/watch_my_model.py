"""A model of one's own, trained by one's own loop, under watch: which layer loses the gradient, and what another activation does."""

import itertools

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import koubai

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
x_train, y_train, x_validation, y_validation = x[:1400], y[:1400], x[1400:], y[1400:]


class Network(nn.Module):
    """Six hidden layers of 40."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        widths = [64, 40, 40, 40, 40, 40, 40]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.activations = nn.ModuleList(activation() for _ in self.hidden)
        self.out = nn.Linear(40, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer, activation in zip(self.hidden, self.activations, strict=True):
            x = activation(layer(x))
        return self.out(x)


def accuracy(answers: torch.Tensor, labels: torch.Tensor) -> float:
    return (answers.argmax(1) == labels).float().mean().item()


for activation in (nn.Sigmoid, nn.ReLU):
    torch.manual_seed(0)
    model = Network(activation)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with koubai.watch(model, optimizer) as watch:
        for step in range(600):
            batch = torch.randint(0, len(x_train), (100,))
            answers = model(x_train[batch])
            loss = F.cross_entropy(answers, y_train[batch])
            watch.loss(loss, accuracy(answers, y_train[batch]))  # the accuracy may be left out
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 100 == 99:
                with torch.no_grad():
                    answers = model(x_validation)
                watch.validation(F.cross_entropy(answers, y_validation).item(), accuracy(answers, y_validation))
    print(f"{activation.__name__}:\n{watch.diagnose()}")
    print(watch.report(f"watch-{activation.__name__.lower()}.html"), "\n")
