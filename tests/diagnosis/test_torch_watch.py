import sys

import numpy as np
import pytest

import fallline.torch
from fallline.errors import FalllineError
from fallline.optimizers import SGD, Adam, AdamW, Momentum, Nesterov, RMSprop


def test_without_pytorch_it_says_what_to_install(monkeypatch):
    from fallline.torch import library

    library.torch.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(FalllineError, match=r"pip install 'fallline\[torch\]'"):
        fallline.torch.watch(None, None)
    library.torch.cache_clear()


@pytest.fixture(scope="module")
def t():
    torch = pytest.importorskip("torch", reason="watching PyTorch needs torch")
    # So small tensors wait for threads longer than they take, on a busy machine 25 times.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def rows(t):
    draw = np.random.default_rng(0)
    x = t.tensor(draw.normal(size=(128, 6)), dtype=t.float32)
    return x, t.tensor(draw.integers(0, 3, 128))


def network(t):
    t.manual_seed(0)
    nn = t.nn
    return nn.Sequential(
        nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3)
    )


def train(t, rows, make, *, watched=True, none=True, epochs=3, **options):
    x, y = rows
    model = network(t)
    optimizer = make(model.parameters())
    criterion = t.nn.CrossEntropyLoss()
    watch = fallline.torch.watch(model, optimizer, **options) if watched else None
    for _ in range(epochs):
        for begin in range(0, 128, 32):
            optimizer.zero_grad(set_to_none=none)
            loss = criterion(model(x[begin : begin + 32]), y[begin : begin + 32])
            if watch is not None:
                loss = watch.loss(loss)
            loss.backward()
            optimizer.step()
        if watch is not None:
            with t.no_grad():
                watch.validation(criterion(model(x), y))
    return model, watch


MAKERS = {
    "sgd": lambda t: lambda p: t.optim.SGD(p, 0.1),
    "momentum": lambda t: lambda p: t.optim.SGD(p, 0.1, momentum=0.9),
    "nesterov": lambda t: lambda p: t.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda t: lambda p: t.optim.Adam(p, 0.01),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("none", [True, False])
def test_it_changes_no_bit_and_measures_what_is_so(t, rows, name, none):
    make = MAKERS[name](t)
    plain, _ = train(t, rows, make, watched=False, none=none)
    model, watch = train(t, rows, make, none=none, every=1)
    for a, b in zip(plain.parameters(), model.parameters(), strict=True):
        assert t.equal(a, b)
    h = watch.history
    again, grads, places, losses = network(t), [], [], []
    optimizer = make(again.parameters())
    x, y = rows
    for i in range(12):
        optimizer.zero_grad()
        begin = i % 4 * 32
        loss = t.nn.functional.cross_entropy(again(x[begin : begin + 32]), y[begin : begin + 32])
        loss.backward()
        grads.append(np.concatenate([p.grad.ravel() for p in again.parameters()]))
        places.append(np.concatenate([p.detach().ravel() for p in again.parameters()]))
        losses.append(loss.item())
        optimizer.step()
    places = np.stack([*places, np.concatenate([p.detach().ravel() for p in again.parameters()])])
    grads = np.stack(grads)
    sizes = np.linalg.norm(grads, axis=1)
    np.testing.assert_allclose(h.loss, losses, rtol=1e-6)
    np.testing.assert_allclose(h.gradient_norm, sizes, rtol=1e-5)
    np.testing.assert_allclose(h.parameter_norm, np.linalg.norm(places[:-1], axis=1), rtol=1e-5)
    moved = np.linalg.norm(np.diff(places, axis=0), axis=1)
    np.testing.assert_allclose(h.update_norm, moved, rtol=1e-4)
    cosines = (grads[1:] * grads[:-1]).sum(axis=1) / sizes[1:] / sizes[:-1]
    # Where gradients are overwritten in place, that is found out at the second step.
    first = 1 if none else 2
    np.testing.assert_allclose(h.gradient_cosine[first:], cosines[first - 1 :], atol=1e-5)
    assert np.isnan(h.gradient_cosine[:first]).all()
    assert h.leaf_names[0] == "0.weight"
    assert h.layer_update_norm.shape == (12, 6)
    np.testing.assert_allclose(h.training_loss, np.reshape(losses, (3, 4)).mean(axis=1), rtol=1e-6)
    assert np.isfinite(h.validation_loss).all()
    case = watch.case()
    assert (case.batch_size, case.rows, case.steps_per_epoch) == (32, 128, 4)


def test_it_leaves_no_hook_behind(t, rows):
    with train(t, rows, MAKERS["adam"](t))[1] as watch:
        pass
    for module in watch.model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert not watch.optimizer._optimizer_step_pre_hooks
    assert not watch.optimizer._optimizer_step_post_hooks
    assert len(watch.history) == 12


@pytest.mark.parametrize("name", MAKERS)
def test_the_curvature_is_the_hessian_s(t, rows, name):
    model, watch = train(t, rows, MAKERS[name](t))
    x, y = rows
    names = [n for n, _ in model.named_parameters()]

    def loss(*parts):
        named = dict(zip(names, parts, strict=True))
        return t.nn.functional.cross_entropy(t.func.functional_call(model, named, (x,)), y)

    parts = tuple(p.detach() for p in model.parameters())
    blocks = t.autograd.functional.hessian(loss, parts)
    sizes = [p.numel() for p in parts]
    hessian = np.block(
        [
            [b.reshape(m, n).numpy() for b, n in zip(line, sizes, strict=True)]
            for line, m in zip(blocks, sizes, strict=True)
        ]
    ).astype(float)
    share = {"sgd": 2.0, "momentum": 3.8, "nesterov": 3.8 / 2.8}.get(name)
    if name == "adam":
        state = [watch.optimizer.state[p] for p in model.parameters()]
        square = np.concatenate([s["exp_avg_sq"].numpy().ravel() for s in state])
        root = np.sqrt(np.sqrt(square / (1 - 0.999**12)) + 1e-8)
        hessian = hessian / root[:, None] / root
        share = 3.8 * (1 - 0.9**12) / 0.1
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    found = watch.curvature(lambda: t.nn.functional.cross_entropy(model(x), y), products=40)
    np.testing.assert_allclose([found.smallest, found.largest], values[[0, -1]], rtol=1e-2)
    np.testing.assert_allclose(found.limit, share / values[-1], rtol=1e-3)
    assert watch.case().sharpness() is found


@pytest.mark.parametrize(("kind", "counted"), [("SGD", 1), ("Adam", 1), ("AdamW", 0)])
def test_weight_decay_inside_the_gradient_curves_too(t, kind, counted):
    w = t.nn.Parameter(t.tensor([1.0, 1.0]))
    b = t.nn.Parameter(t.tensor([1.0]))
    model = t.nn.Module()
    model.w, model.b = w, b
    groups = [{"params": [w], "weight_decay": 3.0}, {"params": [b], "weight_decay": 0.5}]
    optimizer = getattr(t.optim, kind)(groups, 1e-3)
    watch = fallline.torch.watch(model, optimizer)

    def loss():
        return 0.5 * (w[0] ** 2 + 2 * w[1] ** 2 + 4 * b[0] ** 2)

    watch.loss(loss()).backward()
    optimizer.step()
    found = watch.curvature(loss)
    hessian = np.array([1.0, 2.0, 4.0]) + counted * np.array([3.0, 3.0, 0.5])
    if kind == "SGD":
        np.testing.assert_allclose(found.limit, 2 / hessian.max(), rtol=1e-5)
    else:
        # At ones the gradient is as large as the curvature, and after one step Adam divides by it.
        hessian /= hessian
    np.testing.assert_allclose(found.largest, hessian.max(), rtol=1e-5)
    np.testing.assert_allclose(found.smallest, hessian.min(), rtol=1e-5)


def test_closures_frozen_parameters_and_those_without_a_gradient(t, rows):
    x, y = rows
    model = network(t)
    model[0].bias.requires_grad_(False)
    optimizer = t.optim.LBFGS(model.parameters(), max_iter=4)
    watch = fallline.torch.watch(model, optimizer, every=1)

    def closure():
        optimizer.zero_grad()
        loss = t.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    h = watch.history
    assert np.isfinite(h.loss).all()
    assert np.isfinite(h.update_norm).all()
    assert "0.bias" not in h.leaf_names
    assert watch.case().optimizer is None


def test_pytorch_s_optimizers_are_understood(t):
    from fallline.torch.rules import translated

    p, o = [t.nn.Parameter(t.zeros(2))], t.optim
    assert translated(o.SGD(p, 0.1)) == SGD(0.1)
    assert translated(o.SGD(p, 0.1, momentum=0.9)) == Momentum(0.1, 0.9)
    assert translated(o.SGD(p, 0.1, momentum=0.9, nesterov=True)) == Nesterov(0.1, 0.9)
    assert translated(o.Adam(p, 0.1, (0.8, 0.99))) == Adam(0.1, 0.8, 0.99, 1e-8)
    assert translated(o.AdamW(p, 0.1)) == AdamW(0.1, weight_decay=0.01)
    assert translated(o.RMSprop(p, 0.1)) == RMSprop(0.1, 0.99, 1e-8)
    assert translated(o.Adamax(p)) is None


def test_dead_units_and_saturation_are_seen(t, rows):
    x, y = rows
    model = network(t)
    with t.no_grad():
        model[0].bias[:8] = -100.0
        model[2].weight.mul_(1000.0)
    optimizer = t.optim.SGD(model.parameters(), 1e-4)
    watch = fallline.torch.watch(model, optimizer)
    watch.loss(t.nn.functional.cross_entropy(model(x), y)).backward()
    optimizer.step()
    relu, tanh = watch.activity("end")
    assert relu.dead == 0.5
    assert tanh.saturated > 0.9


def test_a_rate_too_high_is_named(t, rows):
    _, watch = train(t, rows, lambda p: t.optim.SGD(p, 1e6), epochs=20)
    assert "learning-rate-too-high" in [f.name for f in watch.diagnose().findings]
    silent = fallline.torch.watch(model := network(t), t.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(FalllineError, match="No step was recorded"):
        silent.diagnose()
