"""Tokens per second of a training step, beside TRL's SFTTrainer: the same checkpoint, samples, batch, LoRA and optimizer, in one process, alternating.

    python benchmarks/training_step.py [--class llava] [--side 112] [--width 128] [--layers 4] [--batch 16] [--steps 6] [--rounds 5]

TRL belongs into an environment of its own, or beside this one: pip install --no-deps --target somewhere trl, then PYTHONPATH=somewhere.

Samples have one to four frames and evidence of different length, as those of the sample world have. Frames are PNG in memory for both, so reading videos is not part of it; both make pixels of them with two workers ahead of the step.
The model is small, of the real class, with random weights. Ours is timed with and without packing; TRL packs no samples with pictures. The first step of every round is not counted. A round is `--steps` steps of each way; medians over rounds count.
Tokens are those of prompts and replies, padding not counted, and are the same for all.
"""
import argparse, io, logging, os, statistics, sys, tempfile, time, warnings
from dataclasses import replace
from pathlib import Path
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
import numpy as np, torch, transformers
from PIL import Image
sys.path.insert(0, str(Path(__file__).resolve().parents[1]/'tests'))
import tiny
import espresso.reasoner.ahead as room
from espresso.reasoner.lessons import Lesson, Turn, encode
from espresso.reasoner.lora import linear_layers, plain
from espresso.reasoner.model import EVIDENCE, Ask, reasoner
from espresso.reasoner.recipe import Settings
from espresso.reasoner.steps import train
from espresso.records import Frame
from espresso.video import Picture

def samples(n, side):
    "Lessons, and the PNG of every frame"
    rng, made, png = np.random.default_rng(0), [], {}
    for k in range(n):
        frames = tuple(Frame(f'v{k}', 30*t, float(t)) for t in range(int(rng.integers(1, 5))))
        for f in frames:
            f2 = io.BytesIO(); Image.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8)).save(f2, 'png'); png[f] = f2.getvalue()
        says = ' '.join(['The red car is waiting at the line.']*int(rng.integers(1, 9)))
        made.append(Lesson(f's{k}', '', frames, 'Why does the red car wait?', (Turn(EVIDENCE, says, 1.),)))
    return made, png

def ours(r, lessons, s, steps):
    "Seconds of each step but the first"
    marks = []
    with tempfile.TemporaryDirectory() as out: train(r, lessons, replace(s, epochs=steps*s.batch/len(lessons)), out, watch=lambda line: marks.append(time.perf_counter()))
    plain(r)
    return marks[-1] - marks[0]

def theirs(folder, r, lessons, png, s, steps):
    "The same by TRL"
    from datasets import Dataset, Features, Image as Picture_, List, Value
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer
    rows = [dict(prompt=r.prompt(Ask(l.question, tuple(Picture(f, None) for f in l.frames)), EVIDENCE), completion=l.turns[0].reply + r.tokenizer.decode([r.ends[0]]), images=[dict(bytes=png[f]) for f in l.frames]) for l in lessons]
    data = Dataset.from_list(rows, features=Features(prompt=Value('string'), completion=Value('string'), images=List(Picture_())))
    class Clock(transformers.TrainerCallback):
        marks = []
        def on_step_end(self, *a, **k): self.marks.append(time.perf_counter())
    clock = Clock(); clock.marks = []
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(output_dir=out, per_device_train_batch_size=s.batch, gradient_accumulation_steps=1, max_steps=steps, learning_rate=s.rate, weight_decay=s.decay, lr_scheduler_type='cosine', warmup_steps=1, max_grad_norm=s.clip, optim='adamw_torch',
                           max_length=None, completion_only_loss=True, gradient_checkpointing=False, bf16=r.model.dtype == torch.bfloat16, use_cpu=r.model.device.type == 'cpu', report_to='none', save_strategy='no', logging_steps=1, disable_tqdm=True, seed=s.seed, dataloader_num_workers=s.workers)
        lora = LoraConfig(r=s.rank, lora_alpha=s.alpha, lora_dropout=s.dropout, target_modules=linear_layers(r.model), task_type='CAUSAL_LM')
        fresh = reasoner(str(folder), device=r.model.device.type)
        trainer = SFTTrainer(fresh.model, args=config, train_dataset=data, processing_class=fresh.processor, peft_config=lora, callbacks=[clock])
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return clock.marks[-1] - clock.marks[0]

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--class', dest='kind', default='llava', choices=['llava', 'qwen_vl'])
    for name, value in dict(side=112, width=128, layers=4, batch=16, steps=6, rounds=5).items(): p.add_argument(f'--{name}', type=int, default=value)
    a = p.parse_args()
    transformers.utils.logging.disable_progress_bar(); logging.disable(logging.WARNING); warnings.simplefilter('ignore')
    folder = getattr(tiny, a.kind)(Path(tempfile.mkdtemp())/a.kind, dict(side=a.side, patch=14, vision=(a.width, 2), text=(a.width, a.layers)))
    r, (lessons, png) = reasoner(str(folder)), samples(a.batch*a.steps, a.side)
    room.look = lambda l, frame_cache='': [Picture(f, np.asarray(Image.open(io.BytesIO(png[f])).convert('RGB'))) for f in l.frames]
    s = Settings(rate=1e-4, batch=a.batch, save=10**9, room=10**9, workers=2)
    lengths = [len(encode(r, l, room.look(l)).ids)+1 for l in lessons]
    tokens = sum(lengths)*(a.steps-1)/a.steps
    ways = {'ours, packed': lambda: ours(r, lessons, s, a.steps), 'ours, padded': lambda: ours(r, lessons, replace(s, pack=False), a.steps)}
    try:
        import trl
        ways['TRL ' + trl.__version__] = lambda: theirs(folder, r, lessons, png, s, a.steps)
    except ImportError: print('TRL is not here, so ours stands alone; how to get it is said at the top of this file')
    times = {w: [] for w in ways}
    for n in range(a.rounds):
        for w in list(ways)[n%len(ways):] + list(ways)[:n%len(ways)]: times[w].append(ways[w]())
    print(f'{type(r.model).__name__}, {sum(x.numel() for x in r.model.parameters())/1e6:.1f} M parameters, {min(lengths)} to {max(lengths)} tokens a sample, {a.batch} samples a step, {a.steps-1} steps a round, {a.rounds} rounds, {torch.get_num_threads()} threads, {r.model.device}')
    mid = {w: statistics.median(t) for w, t in times.items()}
    for w, t in mid.items(): print(f'{w:14} {tokens/t:9.0f} tokens a second, {mid["ours, packed"]/t:.2f} of ours, packed   ({min(times[w]):.2f} to {max(times[w]):.2f} s a round)')

if __name__ == '__main__': main()
