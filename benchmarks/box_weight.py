"""Do boxes cost what they cost because the loss is mostly theirs? Table 3's *two stages*, with the numbers of boxes weighing less than words in training.

    python benchmarks/box_weight.py [--home outputs/table3] [--weight 0.1] [--seed 0] [--out outputs/box-weight]

Takes clips, questions, frames and settings from a folder that `make table3` has left, trains one adapter and lets it answer the test questions. Weight 1 is the recipe itself.
"""
import argparse, json
from dataclasses import asdict
from pathlib import Path
import torch
import espresso.reasoner.lessons as room
from espresso.contracts import load
from espresso.dataset.curation import video_folder
from espresso.evaluation.objective import Vectors, score
from espresso.reasoner.answers import answering
from espresso.reasoner.model import reasoner
from espresso.reasoner.recipe import Settings
from espresso.reasoner.training import course
from espresso.reasoner.variants import by_evidence
from espresso.records import BenchmarkItem, Video, read_parquet

def lighter(weight):
    "Let the numbers between a box's marks weigh less"
    whole = room._replies
    def replies(r, turns):
        ids, due = whole(r, turns)
        begin, end = (r.tokenizer.convert_tokens_to_ids(t) for t in ('<box_start>', '<box_end>'))
        inside, told = False, []
        for place, token, w in due:
            inside &= token != end
            told.append((place, token, w*weight if inside else w))
            inside |= token == begin
        return ids, told
    room._replies = replies

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--home', type=Path, default='outputs/table3'); p.add_argument('--out', type=Path, default='outputs/box-weight')
    p.add_argument('--weight', type=float, default=.1); p.add_argument('--seed', type=int, default=0)
    a = p.parse_args()
    torch.set_num_threads(1); lighter(a.weight)
    v, out = json.loads((a.home/'table3.json').read_text())['values']['training'], a.out/f'{a.weight}-{a.seed}'
    place = dict(benchmark=str(a.home/'worldset'), videos=str(a.home/'curation'), root=str(a.home/'videos'/'manifest.csv'))
    both = Settings(epochs=float(v['epochs']), batch=v['global_batch'], dropout=v['lora_dropout'], room=v['room'], mixed=v['mixed'], seed=a.seed, frame_cache=str(a.home/'frames'))
    first, second = (asdict(both) | dict(rate=v[k]) for k in ('rate_evidence', 'rate_answer'))
    out.mkdir(parents=True, exist_ok=True)
    course(out=str(out), **place, model=v['reasoner'], load={}, first=first, second=second, variant='evidence', own=0., **{k: v[k] for k in ('keep', 'beside', 'decimals', 'evidence_limit')})
    asked = sorted((i for i in read_parquet(place['benchmark'], BenchmarkItem) if i.split == 'test'), key=lambda i: i.evidence.qa.group.video_id)
    ask = answering(reasoner(v['reasoner'], adapter=str(out/'adapter')), {f.id: f for f in read_parquet(place['videos'], Video)}, video_folder(place['root']), batch=32, limits=(v['evidence_limit'], 64))
    found = [p for k in range(0, len(asked), 32) for p in ask(asked[k:k+32])]
    rows = score({i.id: i for i in asked}, found, Vectors(load('embedder', 'offline')))
    shares = *by_evidence({p.id: p.evidence for p in found}, {i.id: i.evidence.text for i in asked}, {s.id: s.right for s in rows}), *(sum(getattr(s, k) for s in rows)/len(rows) for k in ('right', 'exact'))
    print(f'numbers of boxes weigh {a.weight}, seed {a.seed}: evidence as annotated %.1f %%, answers right by Algorithm 1 after it %.1f %%, after other evidence %.1f %%, in all %.1f %%; exact %.1f %%' % tuple(100*s for s in shares))

if __name__ == '__main__': main()
