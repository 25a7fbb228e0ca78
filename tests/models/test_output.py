"""What a model returns in training: figures of each picture, and their means."""

import torch

from codec_lib.models.output import Output


def test_psnr_is_that_of_each_picture_and_the_bar_shows_its_mean():
    x = torch.full((2, 3, 4, 4), 0.5)
    out = Output(x + torch.tensor([0.1, 0.001])[:, None, None, None], {"y": torch.tensor([8.0, 24.0])})
    torch.testing.assert_close(out.psnr(x), torch.tensor([20.0, 60.0]), atol=1e-3, rtol=0)
    assert out.summary(x) == "bpp 1.000 PSNR 40.00"  # that of the mean error is 23.01
