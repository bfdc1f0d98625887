"""The paper's networks as public PyTorch repositories of GANs train theirs: the other side of the benchmarks.

A DataLoader over images that are turned into tensors one by one; `nn.Module`s with automatic differentiation; noise and
a generator pass for the discriminator's step, more for the generator's; labels of ones and zeros for `BCELoss`;
`torch.optim.SGD`; both losses read with `.item()` at every step.
"""

from __future__ import annotations

import math

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from gan.adversarial.settings import AdversarialNets


class Images(Dataset[Tensor]):
    """uint8 [N, H, W] as torchvision's data sets give them: an image at a time, through PIL and a transform."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels.numpy()
        self.transform = transforms.Compose([transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = self.transform(Image.fromarray(self.pixels[index]))
        return image


class Maxout(nn.Module):
    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.units, self.pieces = units, pieces
        self.linear = nn.Linear(inputs, pieces * units)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).view(-1, self.pieces, self.units).max(1)[0]


def generator(nets: AdversarialNets, dimensions: int) -> nn.Sequential:
    """ReLU layers and a sigmoid output, as `nets` has them."""
    layers: list[nn.Module] = []
    inputs = nets.noise.dimensions
    for layer in nets.generator.hidden:
        layers += [nn.Linear(inputs, layer.units), nn.ReLU()]
        inputs = layer.units
    return nn.Sequential(*layers, nn.Linear(inputs, dimensions), nn.Sigmoid())


def discriminator(nets: AdversarialNets, dimensions: int) -> nn.Sequential:
    """Dropout, maxout, and a sigmoid output, as `nets` has them."""
    layers: list[nn.Module] = []
    inputs = dimensions
    for layer in nets.discriminator.hidden:
        layers += [nn.Dropout(1 - layer.keep), Maxout(inputs, layer.units, layer.pieces)]
        inputs = layer.units
    return nn.Sequential(*layers, nn.Dropout(1 - nets.discriminator.output.keep), nn.Linear(inputs, 1), nn.Sigmoid())


class IdiomaticTraining:
    """Both networks, from PyTorch's own initial weights, and one loop over the images."""

    def __init__(self, nets: AdversarialNets, pixels: Tensor, device: torch.device) -> None:
        """`pixels` uint8 [N, H, W]"""
        recipe, dimensions = nets.recipe, math.prod(pixels.shape[1:])
        self.device, self.noise = device, nets.noise.dimensions
        self.generator = generator(nets, dimensions).to(device)
        self.discriminator = discriminator(nets, dimensions).to(device)
        rate, momentum = recipe.learning_rate.initial, recipe.momentum.initial
        self.g_optimizer = torch.optim.SGD(self.generator.parameters(), lr=rate, momentum=momentum)
        self.d_optimizer = torch.optim.SGD(self.discriminator.parameters(), lr=rate, momentum=momentum)
        self.criterion = nn.BCELoss()
        self.loader = DataLoader(Images(pixels), batch_size=recipe.batch_size, shuffle=True)

    def run_epoch(self) -> list[tuple[float, float]]:
        """The losses of D and G at each step."""
        return [self._step(images.view(len(images), -1).to(self.device)) for images in self.loader]

    def _step(self, images: Tensor) -> tuple[float, float]:
        n = len(images)
        real, fake = torch.ones(n, 1, device=self.device), torch.zeros(n, 1, device=self.device)

        self.d_optimizer.zero_grad()
        samples = self.generator(self._draw(n))
        d_loss = self.criterion(self.discriminator(images), real) + self.criterion(
            self.discriminator(samples.detach()), fake)
        d_loss.backward()
        self.d_optimizer.step()

        self.g_optimizer.zero_grad()
        g_loss = self.criterion(self.discriminator(self.generator(self._draw(n))), real)
        g_loss.backward()
        self.g_optimizer.step()
        return d_loss.item(), g_loss.item()

    def _draw(self, n: int) -> Tensor:
        return torch.empty(n, self.noise, device=self.device).uniform_(-math.sqrt(3), math.sqrt(3))
