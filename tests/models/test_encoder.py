"""The hybrid's encoder: torch's pre-norm one behind a gate, with positions for any map."""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from raymed.models.encoder import GRID, GatedEncoder

KINDS = ("weight", "bias")


def test_the_encoder_equals_torchs_pre_norm_encoder() -> None:
    """With an open gate of 1: x + (E(x + p) - (x + p)) = E(x + p) - p."""
    ours = GatedEncoder(32, 4, 1, 0.0, 0.0, 4.0)
    nn.init.ones_(ours.gate)
    layer = nn.TransformerEncoderLayer(
        32, 4, 128, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    names = {
        "self_attn.in_proj_": "attn.qkv.",
        "self_attn.out_proj.": "attn.proj.",
        "linear1.": "mlp.fc1.",
        "linear2.": "mlp.fc2.",
        "norm1.": "norm1.",
        "norm2.": "norm2.",
    }
    block = ours.blocks[0]
    block.norm1.eps = block.norm2.eps = 1e-6
    state = block.state_dict()
    layer.load_state_dict(
        {theirs + kind: state[own + kind] for theirs, own in names.items() for kind in KINDS}
    )
    x = torch.randn(2, 32, 5, 3)
    p = ours.positions_at(5, 3)
    tokens = (x + p).flatten(2).transpose(1, 2)
    expected = layer(tokens).transpose(1, 2).unflatten(2, (5, 3)) - p
    torch.testing.assert_close(ours(x), expected)


def test_attention_is_torchs_fused_one() -> None:
    own = functional.scaled_dot_product_attention
    with patch.object(functional, "scaled_dot_product_attention", side_effect=own) as attention:
        GatedEncoder(8, 2, 3, 0.1, 0.1, 4.0)(torch.rand(1, 8, 2, 3))
    assert attention.call_count == 3


def test_positions_are_their_own_at_7_by_7() -> None:
    encoder = GatedEncoder(8, 2, 1, 0.0, 0.0, 4.0)
    assert encoder.positions_at(GRID, GRID) is encoder.positions


@given(height=st.integers(1, 40), width=st.integers(1, 40))
@settings(max_examples=25)
def test_positions_that_are_all_alike_stay_so_at_any_size(height: int, width: int) -> None:
    encoder = GatedEncoder(8, 2, 1, 0.0, 0.0, 4.0)
    nn.init.constant_(encoder.positions, 0.5)
    found = encoder.positions_at(height, width)
    assert found.shape == (1, 8, height, width)
    torch.testing.assert_close(found, torch.full_like(found, 0.5))


def test_drop_path_rises_to_the_last_layer() -> None:
    blocks = GatedEncoder(8, 2, 4, 0.0, 0.2, 4.0).blocks
    found = [block.drop_path1.drop_prob for block in blocks]
    assert found == pytest.approx([0.05, 0.1, 0.15, 0.2])
