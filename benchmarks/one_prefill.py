"""One prefill for evidence and answer, beside two requests that read everything twice.

    python benchmarks/one_prefill.py [--class llava | --model nano/base [--adapter DIR]] [--frames 8] [--evidence 24] [--answer 8] [--rounds 9]

Without --model, the model is small, of the real class, with random weights: SigLIP at 224 px and patch 16, so 196 tokens a frame, and Qwen2, a few million parameters (`SIZE`). Both ways are greedy and end at the same number of tokens.
A model of one's own ends its replies where it wants to, on frames of the sample world; --evidence and --answer are then limits.
The two requests are transformers' own `generate`, once from the pictures to the evidence and once from the pictures and that evidence to the answer; `kept pixels` spares the second one the processor.
Rounds alternate, medians count, and the texts must be the same. Beside the clock stands the processor's own time, which other programs on the machine disturb less.
The longer the replies, the smaller the gain: only reading is spared, not writing.
"""
import argparse, statistics, sys, tempfile, time
from pathlib import Path
import numpy as np, torch, transformers
sys.path.insert(0, str(Path(__file__).resolve().parents[1]/'tests'))
import tiny
from espresso.reasoner.inference import answer
from espresso.reasoner.model import Ask, reasoner
from espresso.records import Frame
from espresso.video import Picture
from espresso.world.render import make_scene

SIZE = dict(side=224, patch=16, vision=(192, 4), text=(256, 4))

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--class', dest='kind', default='llava', choices=['llava', 'internvl', 'qwen_vl', 'smolvlm'])
    p.add_argument('--model', default='', help='a folder or a name, in place of random weights')
    p.add_argument('--adapter', default='', help='a PEFT folder to put on it')
    for name, value in dict(frames=8, evidence=24, answer=8, rounds=9).items(): p.add_argument(f'--{name}', type=int, default=value)
    a = p.parse_args()
    transformers.utils.logging.disable_progress_bar()
    r = reasoner(a.model or str(getattr(tiny, a.kind)(Path(tempfile.mkdtemp())/a.kind, SIZE)), adapter=a.adapter)
    rng, scene = np.random.default_rng(0), make_scene(0)
    def picture(t): return scene.draw(scene.seconds*(t+.5)/a.frames) if a.model else rng.integers(0, 255, (360, 640, 3), np.uint8)
    ask = Ask('Why does the red car wait?', tuple(Picture(Frame('v', 30*t, float(t)), picture(t)) for t in range(a.frames)))
    limits = a.evidence, a.answer
    if not a.model: r.ends = [r.pad] if r.pad not in r.bridge else r.ends # random weights may end anywhere; replies shall have the length asked for
    ways = {'one prefill': lambda: answer(r, [ask], limits=limits)[0],
            'two requests': lambda: tiny.two_passes(r, ask, limits), 'two requests, kept pixels': lambda: tiny.two_passes(r, ask, limits, keep=True)}
    one = ways['one prefill'](); two = ways['two requests']()
    assert (one.evidence, one.answer) == tuple(map(r.text, two)), 'the texts differ'
    times = {w: [] for w in ways}
    for _ in range(a.rounds):
        for w, run in ways.items():
            start = time.perf_counter(), time.process_time()
            run()
            times[w].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    mid = {w: [statistics.median(x) for x in zip(*t)] for w, t in times.items()}
    print(f'{a.model and r.name + ", "}{type(r.model).__name__}, {sum(x.numel() for x in r.model.parameters())/1e6:.1f} M parameters, {a.frames} frames, {one.prompt_tokens} tokens read, {one.evidence_tokens} + {one.answer_tokens} written, {one.flops/1e9:.1f} GFLOP, '
          f'{torch.get_num_threads()} threads, {a.rounds} rounds; texts are the same')
    for w, (wall, cpu) in mid.items(): print(f'{w:26} median {wall:.3f} s, {wall/mid["one prefill"][0]:.2f} times one prefill;   of the processor {cpu:.3f} s, {cpu/mid["one prefill"][1]:.2f} times')

if __name__ == '__main__': main()
