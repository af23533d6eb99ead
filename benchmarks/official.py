"""How long it takes to read a published train file of full length, in both of its forms, and how much memory.

    python benchmarks/official.py [--records 202164] [--keep FOLDER]

Each form is written to a file of about the length that is to be expected (captions of four keyframes, evidence with boxes), read record by record, and written back; what is written back must be the file, byte for byte.
Three figures for each form: seconds to read (the scale of the boxes inferred from the whole file included), seconds to write back, and the peak of memory of a process that does nothing else.
"""
import argparse, json, multiprocessing, random, resource, tempfile, time
from pathlib import Path

SOURCES = ('CUVA/2_image', 'XD-Violence/3_image', 'Moviechat/videos/1_image', 'vatex/vatex_image', 'Youcook2/image', 'Storystream/George')
TASKS = ('Causal Analysis', 'Event Dynamic', 'Theme Analysis', 'Role Analysis', 'Cooking Process', 'Traffic Analysis')
WORDS = ('the image shows a small bear standing on rocky terrain two men sit in a boat near the shore while a woman in a green coat looks at them and holds a red cup '
         'in her left hand behind her is a house with a broad window and a tree without leaves').split()


def record(n, form, rng):
    "One record of a form, about as long as those that were seen"
    def text(words): return ' '.join(rng.choices(WORDS, k=words)).capitalize() + '.'
    source, count = rng.choice(SOURCES), rng.randint(2, 6)
    def name(k): return f'{n:06}_keyframe_0-{k:02}-56-979' if source.startswith('Story') else str(480 + 24*k)
    def mention(word): return f'<obj_start>{word}<obj_end><box_start>{json.dumps([[round(rng.uniform(10, 90), 2) for _ in range(4)] for _ in range(rng.randint(0, 2))])}<box_end>'
    evidence = ' '.join(text(12) + ' ' + mention(rng.choice(('bear', 'man in grey', 'boat'))) for _ in range(4))
    frames, captions = [f'{source}/{n//3:06}/{name(k)}.jpg' for k in range(count)], [text(70) for _ in range(count)]
    keys = ('path', 'caption') if form == 'April' else ('keyframes_path', 'keyframes_caption')
    return {'video_path': f'{source.split("/")[0]}/{n//3:06}.mp4', keys[0]: frames, keys[1]: captions, 'question': text(18)[:-1] + '?', 'answer': text(25), 'task': rng.choice(TASKS), 'key_items': [['bear']]*count, 'evidence': evidence}

def generate(path, records, form):
    rng = random.Random(form)
    with open(path, 'w', encoding='utf-8') as f:
        for n in range(records):
            body = json.dumps(record(n, form, rng), indent=4 if form == 'July' else None, ensure_ascii=False)
            f.write(('[\n' if n == 0 else ',\n') + body)
        f.write('\n]\n')


def read(path, back, out):
    from espresso.evaluation.official import JsonList, read_published, write_list
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, rows, frames, boxes, states = time.perf_counter(), 0, 0, 0, set()
    for r in read_published(JsonList(path)):
        rows += 1; frames += len(r.keyframes); boxes += sum(len(n.boxes) for n in r.named); states |= {k.state for k in r.keyframes}; form, scale = r.form, r.scale
    reading = time.perf_counter() - start
    file = JsonList(path)
    write_list(back, (r.raw for r in read_published(file, scale)), file)
    out.put(dict(form=form, rows=rows, frames=frames, boxes=boxes, states=sorted(states), scale=scale, seconds=reading, back=time.perf_counter() - start - reading,
                 mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024, before=before/1024))

def same(a, b):
    with open(a, 'rb') as f, open(b, 'rb') as g:
        while x := f.read(1 << 20):
            if x != g.read(1 << 20): return False
        return not g.read(1)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--records', type=int, default=202_164)
    p.add_argument('--keep', default='', help='folder for the generated files; by default a temporary one')
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        folder, total = Path(a.keep or tmp), 0.
        folder.mkdir(parents=True, exist_ok=True)
        print('form                 records       MB   read s   write back s   peak MiB   written back')
        for form in 'April', 'July':
            path, back = folder/f'train-{form}.json', folder/f'back-{form}.json'
            if not path.exists(): generate(path, a.records, form)
            results = multiprocessing.get_context('spawn').Queue()
            child = multiprocessing.get_context('spawn').Process(target=read, args=(path, back, results))
            child.start(); r = results.get(); child.join()
            assert r['rows'] == a.records and r['scale'] == 100, r
            equal = same(path, back); total += r['seconds']
            print(f'{r["form"]:18} {r["rows"]:9,} {path.stat().st_size/1e6:8,.0f} {r["seconds"]:8.1f} {r["back"]:14.1f} {r["mib"]:10,.0f}   {"equal to the byte" if equal else "DIFFERENT"}')
            back.unlink()
            assert equal
        print(f'both read in {total:.1f} s; {r["frames"]:,} keyframes and {r["boxes"]:,} boxes in the last')
