"""The GPU's coder compiles for GPUs, to machine code, on a machine that has none.

What runs in Triton's interpreter may still fail in its compiler, which knows types and constants.
"""

import subprocess
import sys

import pytest

pytest.importorskip("triton")

T4, A100, H100 = 75, 80, 90  # compute capabilities; the first is what Colab lends
COMPILE = """
import sys

from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from codec_lib.entropy import rans_triton
from codec_lib.entropy.rans_loops import BUCKET_BITS, LOWEST

ENCODE = {
    "symbols": "*i32", "count": "i32", "offset": "*i32", "size": "*i32", "first": "*i32", "entry": "*i64",
    "reciprocal": "*fp64", "words": "*i16", "states": "*i64", "positions": "*i64",
}
DECODE = {
    "symbols": "*i32", "count": "i32", "entry": "*i64", "bucket": "*i32", "words": "*i16", "begins": "*i64",
    "lefts": "*i64", "states": "*i64", "ends": "*i64", "messages": "*i64",
}
capability, lanes, index, single = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4] == "single"
for name, types, constants in (
    ("_encode_kernel", ENCODE, {"LOWEST": LOWEST}),
    ("_decode_kernel", DECODE, {"LOWEST": LOWEST, "BUCKET_BITS": BUCKET_BITS}),
):
    kernel = getattr(rans_triton, name)
    constants |= {"LANES": lanes} | ({"count": 1} if single else {})  # as a launch does with a 1
    signature = types | {"indexes": f"*{index}"} | dict.fromkeys(constants, "constexpr")
    signature = {argument: signature[argument] for argument in kernel.arg_names}
    places = {(kernel.arg_names.index(argument),): value for argument, value in constants.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=places)
    options = {"num_warps": max(1, lanes // 32)}
    done = compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    print(name, len(done.asm["cubin"]))
"""


@pytest.mark.parametrize(
    ("capability", "lanes", "index", "count"),
    [(T4, 1, "u8", "many"), (T4, 1024, "u8", "many"), (A100, 32, "i32", "many"), (H100, 4, "u8", "single")],
)
def test_kernels_compile_to_machine_code(capability, lanes, index, count, monkeypatch, tmp_path):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    command = [sys.executable, "-c", COMPILE, str(capability), str(lanes), index, count]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    sizes = dict(line.split() for line in done.stdout.splitlines())
    assert sizes.keys() == {"_encode_kernel", "_decode_kernel"}
    assert all(int(size) > 1000 for size in sizes.values())
