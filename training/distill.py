"""Teaches a small network to answer as a large one does on the same augmented views.

    python -m training.distill --recipe recipes/small-distil.toml --teacher RUN/best.safetensors --data FOLDER --run RUN

Training's loop with another loss: the teacher's probabilities of all four turns hold more about a view than its label.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from training import convolution, network
from training.train import Trainer, parser, prepare, run


class Distillation:
    """Divergence from the teacher's softened scores, and cross-entropy with the turns (Hinton et al. 2015)."""

    def __init__(self, teacher: network.Lite, share: float, temperature: float) -> None:
        self.teacher, self.share, self.temperature = teacher.eval().requires_grad_(False), share, temperature

    def __call__(self, views: Tensor, logits: Tensor, turns: Tensor) -> Tensor:
        device = views.device
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=convolution.half_pays(device)):
            taught = self.teacher(views).float()
        softened = F.log_softmax(logits / self.temperature, 1), F.log_softmax(taught / self.temperature, 1)
        # Softening shrinks the gradients by the temperature squared; the factor keeps both losses on one scale.
        divergence = F.kl_div(*softened, reduction="batchmean", log_target=True) * self.temperature**2
        return self.share * divergence + (1 - self.share) * F.cross_entropy(logits, turns)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--teacher", required=True, type=Path, help="weights of any variant")
    options.add_argument("--share", type=float, default=0.7, help="of the loss that is the teacher's")
    options.add_argument("--temperature", type=float, default=2.0)
    chosen = options.parse_args()
    recipe, pictures, device = prepare(chosen)
    teacher, _ = network.load(chosen.teacher)
    # "memory_format" alone makes mypy look for another overload.
    teacher = teacher.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss = Distillation(teacher, chosen.share, chosen.temperature)
    run(Trainer(recipe, pictures, chosen.run, device, loss), chosen.resume)


if __name__ == "__main__":
    main()
