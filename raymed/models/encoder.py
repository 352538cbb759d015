"""A Transformer encoder over a feature map, behind a gate that starts closed."""

import torch
from timm.models.vision_transformer import Block
from torch import nn
from torch.nn import functional

GRID = 7
"""Learned positions a side: what most CNNs make of 224 pixels."""


class GatedEncoder(nn.Module):
    """Adds to a feature map what attention among all its places finds.

    With x the map's tokens, p the positions and E the pre-norm encoder (Vaswani et al., arXiv
    1706.03762; pre-norm as in ViT, arXiv 2010.11929; attention is torch's
    `scaled_dot_product_attention`), the output is

        x + gate * (E(x + p) - (x + p))

    so the gate, one number a channel and initially zero (LayerScale, arXiv 2103.17239, started at
    the zero of ReZero, arXiv 2003.04887), multiplies the sum of the encoder's residual branches
    and nothing else. The positions stand inside: they steer the attention, but are not themselves
    added to x. Added outside, they would change the output before anything is learned; and all
    that mean pooling would keep of them is a constant. So while the gate is zero the output is x
    to the last bit, with dropout and drop-path drawing as they will.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
        drop_path: float,
        mlp_ratio: float,
    ) -> None:
        """Make `layers` blocks; drop-path rises linearly to `drop_path` at the last."""
        super().__init__()
        self.positions = nn.Parameter(torch.empty(1, width, GRID, GRID))
        self.blocks = nn.Sequential(
            *(
                Block(
                    width,
                    heads,
                    mlp_ratio,
                    qkv_bias=True,
                    proj_drop=dropout,
                    attn_drop=dropout,
                    drop_path=drop_path * (layer + 1) / layers,
                )
                for layer in range(layers)
            )
        )
        self.gate = nn.Parameter(torch.zeros(width))
        nn.init.trunc_normal_(self.positions, std=0.02)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, projected: torch.Tensor) -> torch.Tensor:
        """Map [b, width, h, w] to the same shape."""
        height, width = projected.shape[-2:]
        placed = (projected + self.positions_at(height, width)).flatten(2).transpose(1, 2)
        added = (self.blocks(placed) - placed).transpose(1, 2).unflatten(2, (height, width))
        read: torch.Tensor = projected + self.gate[:, None, None] * added
        return read

    def positions_at(self, height: int, width: int) -> torch.Tensor:
        """Resample the learned positions to a map's size, bicubically: [1, width, h, w]."""
        if (height, width) == (GRID, GRID):
            return self.positions
        return functional.interpolate(
            self.positions, (height, width), mode="bicubic", antialias=True
        )
