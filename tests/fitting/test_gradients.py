"""The compiled backward passes against autograd, which knows nothing of them."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from codec_lib.fitting import context, grids, kernels, laplace, synthesis, upsampling
from codec_lib.fitting.context import BLOCK, MARGIN, NEIGHBOURS, SEEN, C, Network
from codec_lib.fitting.parameters import COUNT, GRIDS, fresh, parts
from codec_lib.fitting.passes import Passes
from codec_lib.fitting.synthesis import COLOURS, EDGE, HIDDEN, INPUTS, Synthesis

# The loops are float32: a sum of n terms is wrong by at most n 2**-24 of the sum of their sizes, and the
# sums here have less than 1000 terms that partly cancel.
RELATIVE = 1000 * 2.0**-24


def close(found: np.ndarray, expected: torch.Tensor | None) -> bool:
    """Whether float32 gives what float64 gives, relative to the largest value."""
    assert expected is not None
    wanted = expected.detach().numpy()
    return np.abs(found - wanted).max() <= RELATIVE * max(np.abs(wanted).max(), 1.0)


def doubles(arrays) -> list[torch.Tensor]:
    return [torch.tensor(a.astype(np.float64), requires_grad=True) for a in arrays]


@pytest.mark.parametrize(("height", "width"), [(5, 70), (1, 1), (9, 64)])
def test_the_probability_network(height, width):
    random = np.random.default_rng(height)
    planes = np.zeros((3, height + 2 * MARGIN, width + 2 * MARGIN + BLOCK), np.float32)
    inside = np.s_[:, MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    planes[inside] = random.laplace(0, 1, (3, height, width))
    net = Network(
        *(random.normal(0, 0.15, part.shape).astype(np.float32) for part in parts(fresh()).network)
    )
    grad, gplanes = Network(*(np.zeros_like(part) for part in net)), np.zeros_like(planes)
    bits = context.sweep(planes, 0, height, width, net, grad, gplanes, False)

    seen, *weights = doubles((planes, *net))
    shapes = [(C, SEEN), (C,), (C, C), (C,), (2, C), (2, SEEN), (2,)]
    w1, b1, w2, b2, wo, ws, bo = (w.view(shape) for w, shape in zip(weights, shapes, strict=True))
    rows = [
        seen[p, MARGIN + r : MARGIN + r + height, MARGIN + c : MARGIN + c + width] for p, r, c in NEIGHBOURS
    ]
    x, y = torch.stack(rows).flatten(1), seen[inside][0].flatten()
    h1 = (w1 @ x + b1[:, None] + x[:C]).relu()
    h2 = (w2 @ h1 + b2[:, None] + h1).relu()
    mu, s = wo @ h2 + ws @ x + bo[:, None]
    b, distance = s.clamp(*laplace.LOG_SCALE).exp(), -(y - mu).abs()

    def below(t):  # the cumulative function of a Laplace density
        half = 0.5 * torch.exp(-t.abs())
        return torch.where(t < 0, half, 1 - half)

    expected = -(below((distance + 0.5) / b) - below((distance - 0.5) / b)).log2().sum()
    expected.backward()
    assert bits == pytest.approx(expected.item(), rel=RELATIVE)
    assert all(close(g, w.grad) for g, w in zip(grad, weights, strict=True))
    assert seen.grad is not None
    assert close(gplanes[inside], seen.grad[inside])


@pytest.mark.parametrize(("height", "width"), [(5, 70), (1, 1), (2, 64)])
def test_the_synthesis(height, width):
    random = np.random.default_rng(width)
    columns = upsampling.stride_of(width)
    features = np.zeros((INPUTS, height, columns), np.float32)
    features[:, :, :width] = random.normal(0, 0.5, (INPUTS, height, width))
    target = random.random((COLOURS, height, width)).astype(np.float32)
    net = Synthesis(*(random.normal(0, 0.2, p.shape).astype(np.float32) for p in parts(fresh()).synthesis))
    grad, gfeatures = Synthesis(*(np.zeros_like(part) for part in net)), np.zeros_like(features)
    shape = (COLOURS, height + 2 * EDGE, columns + BLOCK + 2 * EDGE)
    t0, t1, t2, g0, g1, g2 = (np.zeros(shape, np.float32) for _ in range(6))
    synthesis.pixels(features, 0, height, width, net, t0)
    kernels.repeat_border(t0, width)
    kernels.convolve(t0, 0, height, width, net.k1, net.c1, True, t1)
    kernels.repeat_border(t1, width)
    kernels.convolve(t1, 0, height, width, net.k2, net.c2, False, t2)
    error = kernels.squared_error(t2, target, 0, height, width, np.float32(1), g2)
    kernels.kernel_back(t1, g2, 0, height, width, grad.k2, grad.c2)
    kernels.convolve_back(g2, 0, height + 2, width, net.k2, g1)
    kernels.fold_border(g1, width)
    kernels.rectify_back(t1, g1, 0, height, width)
    kernels.kernel_back(t0, g1, 0, height, width, grad.k1, grad.c1)
    kernels.convolve_back(g1, 0, height + 2, width, net.k1, g0)
    kernels.fold_border(g0, width)
    synthesis.pixels_back(features, 0, height, width, net, g0, grad, gfeatures)

    inputs, *weights = doubles((features[:, :, :width], *net))
    v1, d1, v2, s, d2, k1, c1, k2, c2 = weights
    f = inputs.flatten(1)
    t = v2.view(COLOURS, HIDDEN) @ (v1.view(HIDDEN, INPUTS) @ f + d1[:, None]).relu()
    t = (t + s.view(COLOURS, INPUTS) @ f + d2[:, None]).view(1, COLOURS, height, width)

    def layer(t, kernel, bias):
        return t + F.conv2d(F.pad(t, (1, 1, 1, 1), mode="replicate"), kernel.view(3, 3, 3, 3), bias)

    x_hat = layer(F.leaky_relu(layer(t, k1, c1), 1 / 8), k2, c2)
    x_hat = x_hat + (x_hat.clamp(0, 1) - x_hat).detach()  # clipped, its gradient is not
    expected = (x_hat - torch.from_numpy(target).double()).square().sum()
    expected.backward()
    assert error == pytest.approx(expected.item(), rel=RELATIVE)
    assert all(close(g, w.grad) for g, w in zip(grad, weights, strict=True))
    assert close(gfeatures[:, :, :width], inputs.grad)


@pytest.mark.parametrize(("height", "width"), [(9, 7), (1, 1), (2, 3), (4, 130)])
def test_enlarging(height, width):
    random = np.random.default_rng(width)
    rows, columns = -(-height // 2), -(-width // 2)
    x = np.zeros((rows, upsampling.stride_of(columns)), np.float32)
    x[:, :columns] = random.normal(size=(rows, columns))
    taps = random.normal(size=4).astype(np.float32)
    out = np.zeros((height, upsampling.stride_of(width)), np.float32)
    upsampling.enlarge(x, columns, taps, out, height)
    g, gx, gtaps = np.zeros_like(out), np.zeros_like(x), np.zeros(4, np.float32)
    g[:, :width] = random.normal(size=(height, width))
    upsampling.enlarge_back(x, columns, taps, g, height, gx, gtaps)

    plane, (a, b, c, d) = doubles((x[:, :columns], taps))

    def twice(x):  # along rows
        n, p = len(x), torch.cat([x[:1], x[:1], x, x[-1:], x[-1:]])
        even = a * p[:n] + b * p[1 : n + 1] + c * p[2 : n + 2] + d * p[3 : n + 3]
        odd = d * p[1 : n + 1] + c * p[2 : n + 2] + b * p[3 : n + 3] + a * p[4 : n + 4]
        return torch.stack([even, odd], 1).flatten(0, 1)

    parameters = doubles((taps,))[0]
    a, b, c, d = parameters
    expected = twice(twice(plane).T).T[:height, :width]
    (expected * torch.from_numpy(g[:, :width])).sum().backward()
    assert close(out[:, :width], expected)
    assert close(gx[:, :columns], plane.grad)
    assert close(gtaps, parameters.grad)


def test_soft_rounding_and_its_slope():
    v = np.linspace(-2.3, 2.4, 96, dtype=np.float32).reshape(4, 24)
    noise = np.random.default_rng(0).normal(0, 1, 96).astype(np.float32)
    y, slope = np.zeros_like(v), np.zeros_like(v)
    grids.soften(v, noise, np.float32(0.2), np.float32(0.3), y, slope)
    (x,) = doubles((v,))

    def s(v):
        return v.floor() + 0.5 + ((v - v.floor() - 0.5) / 0.3).tanh() / (2 * np.tanh(1 / 0.6))

    expected = s(s(x) + torch.from_numpy(noise.reshape(v.shape)) * np.float64(np.float32(0.2)))
    expected.sum().backward()
    assert close(y, expected)
    assert close(slope, x.grad)


@pytest.mark.parametrize(("height", "width"), [(70, 45), (3, 5)])
def test_all_passes_together(height, width):
    """A parabola through three losses along random directions has the slope that `backward` says."""
    random = np.random.default_rng(0)
    passes = Passes(random.random((3, height, width)).astype(np.float32))
    vector = fresh(1)
    latents = [random.normal(0, 1.5, size).astype(np.float32) for size in passes.sizes]
    noise = [random.normal(0, 1, latent.size).astype(np.float32) for latent in latents]

    def loss(latents, vector):
        passes.soften(latents, noise, 0.1, 0.5)
        bits = passes.bits(vector).sum()
        passes.picture(vector)
        return bits + 50 * passes.error(50.0)

    base = loss(latents, vector)
    passes.backward(vector)
    slopes = [passes.gradient.copy()]
    slopes += [
        (g * s)[:, : latent.shape[1]] for g, s, latent in zip(passes.g, passes.slope, latents, strict=True)
    ]
    for k, slope in enumerate(slopes):
        direction = np.sign(slope).astype(np.float32)  # the steepest: its change outweighs rounding
        moved = [latent + 1e-4 * direction if k == i + 1 else latent for i, latent in enumerate(latents)]
        back = [latent - 1e-4 * direction if k == i + 1 else latent for i, latent in enumerate(latents)]
        by = 1e-4 * direction if k == 0 else np.zeros(COUNT, np.float32)
        change = (loss(moved, vector + by) - loss(back, vector - by)) / 2e-4
        expected = np.abs(slope).sum()
        assert change == pytest.approx(expected, rel=0.03, abs=1e-7 * base / 2e-4), k  # kinks, float32
    passes.close()
    assert len(slopes) == GRIDS + 1
