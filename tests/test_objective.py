"""Algorithm 1 against a slow writing of it, ties, and the number of texts that are encoded."""
import random
import numpy as np
from espresso.evaluation.objective import Vectors, beside, judge, summary, sweep
from espresso.records import BenchmarkItem, Caption, Evidence, Frame, FrameGroup, QAPair, Verdict

class Letters:
    "Counts of letters, as a sentence encoder; counts what it is given"
    name = 'letters'
    def __init__(self): self.seen = []
    def embed(self, texts):
        self.seen += texts
        v = np.array([[t.lower().count(c) + .01 for c in 'abcdefghijklmnopqrstuvwxyz'] for t in texts], np.float32)
        return v*3 # not of unit length: scores must not depend on it

def item(n, options, correct):
    c = Caption(Frame('v', 0, 0.), 'A red car is waiting.', 'm')
    qa = QAPair(f'q{n}', f'What is number {n}?', options[correct], FrameGroup('g', 'v', 0, (c,)), (c,), 'm', Verdict(True, 'ok', '', 'm'))
    return BenchmarkItem(f'q{n}', Evidence(f'e{n}', qa, (c,), (), '', 'm'), 'Causal Inference', 'test', tuple(options), correct, 'm')

def phrase(rng): return ' '.join(rng.choice('red blue car ball waits falls walks left right because light'.split()) for _ in range(rng.randint(1, 6)))

def slow(answer, reference, distractors, threshold):
    "Algorithm 1, one item at a time"
    def unit(t): v = Letters().embed([t])[0].astype(float); return v/np.sqrt((v*v).sum())
    if not answer.strip(): return False
    r = float(unit(answer) @ unit(reference))
    if r < threshold: return False
    for d in distractors:
        if float(unit(answer) @ unit(d)) > r + 1e-7: return False
    return True

def test_against_a_slow_writing():
    rng = random.Random(0)
    items = []
    for n in range(400): options = [phrase(rng) for _ in range(4)]; items.append(item(n, options, rng.randrange(4)))
    answers = [rng.choice([phrase(rng), rng.choice(i.options), '', ' ']) for i in items]
    vectors = Vectors(Letters(), batch=37)
    for threshold in (.5, .8, .95):
        judged = judge(items, answers, vectors, threshold)
        want = [slow(a, i.options[i.correct], [o for k, o in enumerate(i.options) if k != i.correct], threshold) for i, a in zip(items, answers)]
        assert [j.right for j in judged] == want and 0 < sum(want) < len(want)
        s = summary(judged)
        assert s['right'] + s['too_far'] + s['distractor_closer'] == s['items'] == 400 and s['encoder'] == 'letters'
        assert sweep(judged, [threshold])[threshold] == s['accuracy']

def test_a_distractor_that_equals_the_reference_is_a_tie_and_no_error():
    rng = random.Random(1)
    for n in range(200):
        text = phrase(rng)
        j = judge([item(n, [text, text, phrase(rng), text], 3)], [text + ' now'], Vectors(Letters()), 0.)[0]
        assert j.distractors[0] == j.distractors[1] == j.reference

def test_every_text_is_encoded_once():
    encoder = Letters()
    vectors = Vectors(encoder)
    rng = random.Random(2)
    items = [item(n, [phrase(rng) for _ in range(4)], 0) for n in range(100)]
    judge(items, [i.options[0] for i in items], vectors)
    judge(items, [i.options[1] for i in items], vectors); beside(items, vectors)
    assert len(encoder.seen) == len(set(encoder.seen))
