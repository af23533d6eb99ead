"""Which attention is quickest to train with: transformers' `eager`, PyTorch's fused `sdpa`, and ours in pieces, beside each other.

    python benchmarks/attention.py [--rounds 7] [--threads 1]

The model is nano/base as it is before training. A batch of each kind of sample that it learns from goes forward and back, in bfloat16 where the CPU has instructions for it, without the optimiser. Ways alternate, medians count; gradients are compared with those in float32.
"""
import argparse, random, statistics, time
import torch
from espresso.backends.attention import IN_PIECES
from espresso.backends.weights import fast_half
from espresso.nano.album import album
from espresso.nano.base import samples_for
from espresso.nano.toy import SIDE, build, collate, reply_loss
from espresso.nano.words import tokenizer, world_texts
from espresso.nano.zoo import BRIEF, EACH, LEARN, MIX

SIZES = {kind: size for kind, _, size in MIX['base']}

def gradient(model, batch, how, half):
    "The gradient, and how long it took"
    model.set_attn_implementation(how); model.zero_grad()
    start = time.perf_counter()
    with torch.autocast('cpu', torch.bfloat16, enabled=half): loss = reply_loss(model, batch)
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]), time.perf_counter() - start

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--rounds', type=int, default=7); p.add_argument('--threads', type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(a.threads); torch.manual_seed(0)
    tok, rng = tokenizer(*world_texts(300)), random.Random(0)
    model, make = build(tok), samples_for(tok, album(40, LEARN, EACH, SIDE, workers=1, brief=BRIEF), (0, 200), LEARN)
    print(f'{a.threads} threads, {"bfloat16" if fast_half() else "float32"}; milliseconds, times those in pieces, distance of the gradient from that in float32')
    for kind, size in SIZES.items():
        batch, ways = collate(tok, [make[kind](rng) for _ in range(size)]), (IN_PIECES, 'eager', 'sdpa')
        true, took, off = gradient(model, batch, 'sdpa', False)[0], {w: [] for w in ways}, {}
        for _ in range(a.rounds):
            for w in ways:
                g, seconds = gradient(model, batch, w, fast_half())
                took[w].append(seconds); off[w] = ((g - true).norm()/true.norm()).item()
        mid = {w: statistics.median(t) for w, t in took.items()}
        print(f'{kind:8} {size} of {batch["input_ids"].shape[1]} tokens  ' + '   '.join(f'{w} {1e3*m:.0f} ms {m/mid[IN_PIECES]:.2f} {off[w]:.2%}' for w, m in mid.items()))

if __name__ == '__main__': main()
