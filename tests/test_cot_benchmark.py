"Evidence and benchmark: what must hold for any English, any boxes and any reply"
import asyncio
import numpy as np, pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from espresso.offline.annotator_cot import choose_task, plain as plain_rule, write_distractors, write_evidence
from espresso.contracts import Detection, Reply, Usage, parse_reply
from espresso.offline.facts import read_facts, read_prompt
from espresso.offline.moments import holds, moments
from espresso.dataset.benchmark import (DISTRACTOR_SCHEMA, GROUP_OF, TASK_SCHEMA, benchmark, distractor_prompt, faults, plain, shuffle_options, split_of, task_prompt)
from espresso.dataset.cot import EVIDENCE_SCHEMA, annotate, evidence_prompt, ground, in_order, locate, merge, uncite
from espresso.records import Caption, Drop, Evidence, Frame, FrameGroup, QAPair, Verdict
from espresso.video import Picture

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = ['red', 'Blue', 'the', 'a', 'car', 'is', 'are', 'was', 'waiting', 'then', 'before', 'while', 'and', 'first', 'at', '2.5', 's', '3', 'seconds', 'from', 'to', 'left', 'on', "cook's", 'pan',
         'smoke', 'it', ',', ';', '.', '?', '(', '[1]', '\\d', '*', 'Ärger', '日本', '—', 'two', 'open', 'who', 'rises', 'turns']
english = st.lists(st.sampled_from(WORDS), max_size=24).map(' '.join) | st.text(max_size=60)


def group_of(texts, step=2.): return FrameGroup('g', 'v', 0, tuple(Caption(Frame('v', k, k*step), t, 'm') for k, t in enumerate(texts)))
def pair_of(texts, question, answer):
    g = group_of(texts)
    return QAPair('q', question, answer, g, g.captions[:2], 'm', Verdict(True, 'ok', '', 'm'))
def text_of(messages): return '\n'.join(m['content'] for m in messages)


class Bag:
    "Words to vectors by counting, so that equal texts have cosine 1"
    name = 'bag'
    def embed(self, texts):
        out = np.full((len(texts), 64), 1e-3, np.float32)
        for row, t in zip(out, texts):
            for w in t.lower().replace('.', ' ').split(): row[sum(map(ord, w)) % 64] += 1
        return out / np.linalg.norm(out, axis=1, keepdims=True)

class Replies:
    "A chat model with the replies given"
    name = 'replies'
    def __init__(self, **by_title): self.by_title = by_title
    async def ask(self, messages, schema): return Reply('', self.by_title[schema['title']], Usage())

class Boxes:
    "A detector that finds every name at the boxes given"
    name = 'boxes'
    def __init__(self, *boxes): self.boxes = boxes
    def detect(self, pictures, names): return [[Detection(n, b, .9 - k/10) for n in ns for k, b in enumerate(self.boxes)] for ns in names]

class Shares:
    "A matcher that gives one share to each label, by its position"
    name = 'shares'
    def __init__(self, *shares): self.shares = shares
    def match(self, picture, boxes, labels): return np.array([[(*self.shares, *[0.]*len(labels))[k] for k in range(len(labels))] for _ in boxes], np.float32)

def picture(t=0.): return Picture(Frame('v', int(t), t), np.zeros((8, 8, 3), np.uint8))


@quick
@given(st.lists(english, min_size=1, max_size=6), english, english)
def test_rules_survive_any_english(texts, question, answer):
    e = pair_of(texts, question, answer)
    reply = parse_reply(__import__('json').dumps(write_evidence(text_of(evidence_prompt(e)))), {**EVIDENCE_SCHEMA, 'properties': {**EVIDENCE_SCHEMA['properties'], 'captions': {'type': 'array'}, 'evidence': {}}})
    assert len(reply['captions']) == len(reply['key_objects']) and all(len(n) <= 2 for n in reply['key_objects'])
    chain = Evidence('e', e, (), (), 'x', 'm')
    wrong = write_distractors(text_of(distractor_prompt(chain)))
    parse_reply(__import__('json').dumps(wrong), DISTRACTOR_SCHEMA)
    said = ' '.join(answer.split())
    assert len({plain_rule(t) for t in (*wrong['distractors'], read_prompt(text_of(distractor_prompt(chain))).answer)}) == 4, (said, wrong)
    assert choose_task(text_of(task_prompt(chain)))['task'] in (*GROUP_OF, 'Others')


@quick
@given(english)
def test_moments_survive_any_text(text):
    for m in moments(text): assert m.turn in ('then', 'before', 'any')
    assert holds(text, []) is False


STREET = ['The light is red. The red car is waiting at the line.', 'The light is green. The red car is crossing to the right.', 'The light is red. The blue bus is waiting at the line.']

@pytest.mark.parametrize('statement, true', [
    ('First the light was red, then green, and finally red.', True), ('First the light was green, then red, and finally green.', False),
    ('While the light was green, the red car was crossing to the right.', True), ('While the light was red, the red car was crossing to the right.', False),
    ('Once the light was green, the red car was crossing to the right; before that, the red car was waiting at the line.', True),
    ('Once the light was green, the red car was waiting at the line; before that, the red car was crossing to the right.', False),
    ('At 2 seconds the light was green.', True), ('At 0 seconds the light was green.', False)])
def test_holds(statement, true):
    p = read_prompt(text_of(evidence_prompt(pair_of(STREET, 'What?', 'That.'))))
    assert holds(statement, read_facts(p.captions)) is true


def test_distractors_of_the_street_are_false():
    answer = 'While the light was green, the red car was crossing to the right; when the light was red, the blue bus was waiting at the line.'
    chain = Evidence('e', pair_of(STREET, 'What was seen at the light?', answer), (), (), 'x', 'm')
    prompt = text_of(distractor_prompt(chain))
    wrong, facts = write_distractors(prompt)['distractors'], read_facts(read_prompt(prompt).captions)
    assert holds(answer, facts) and not any(holds(w, facts) for w in wrong)
    again = write_distractors(text_of(distractor_prompt(chain, refused=wrong, reasons=['no'])))['distractors']
    assert not {plain(w) for w in wrong} & {plain(w) for w in again}


# temporal grounding

def test_a_repeated_caption_is_told_by_order_or_time():
    a, b = 'The door is open.', 'A cat is sleeping.'
    g = group_of([a, b, a])
    at = lambda *texts: [c.frame.time_s for c in ground(texts, g, Bag())]
    assert at(a, b) == [0., 2.] and at(b, a) == [2., 4.] and at(a, b, a) == [0., 2., 4.]
    assert at(f'[2] 4.0 s: {a}') == [4.] and at(f'At 4.0 s {a}') == [4.] and at(a) == [0.]
    assert at(f'[99] {a}') == [4.] and at(f'900.0 s: {b}') == [2.], 'a citation only settles ties'

def test_no_caption_is_forced(): assert ground(['Zebra quartz.'], group_of(['The door is open.', 'A cat.']), Bag()) == [None]

@quick
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 9999))
def test_in_order_is_the_best_rising_choice(n, m, seed):
    from itertools import combinations
    rng = np.random.default_rng(seed)
    cos, allowed = rng.random((n, m)), rng.random((n, m)) < .6
    ways = [w for w in combinations(range(m), n) if all(allowed[i, k] for i, k in enumerate(w))]
    got = in_order(cos, allowed)
    if not ways: assert got is None
    else: assert sum(cos[i, k] for i, k in enumerate(got)) == pytest.approx(max(sum(cos[i, k] for i, k in enumerate(w)) for w in ways))

@quick
@given(st.text(max_size=40))
def test_uncite_keeps_words(text): assert uncite(text)[0] in text

@quick
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.sampled_from(['a', ' a', 'b', 'c', ' ', '']), max_size=4)), max_size=6))
def test_at_most_two_names_a_frame(said):
    g = group_of(['x', 'y', 'z'])
    out = merge([g.captions[k] for k, _ in said], [ns for _, ns in said])
    assert all(len(ns) <= 2 and len(set(ns)) == len(ns) and all(ns) for ns in out.values())
    assert [c.frame.time_s for c in out] == sorted(c.frame.time_s for c in out)


# spatial grounding

def test_no_box_outside_the_picture():
    item, = locate([['cat']], [picture()], Boxes((-.1, 0., .5, .5), (.2, .2, 1.2, .4), (.5, .5, .5, .6)), Shares(1., 0.))
    assert item.box is None and item.detector_score == 0
    item, = locate([['cat']], [picture()], Boxes((-.1, 0., .5, .5), (.2, .2, 1., .4)), Shares(.9, .1))
    assert item.box == (.2, .2, 1., .4) and item.label_score == pytest.approx(.9)

def test_label_check():
    two = [['cat', 'dog']]
    cat, dog = locate(two, [picture()], Boxes((0., 0., .5, .5)), Shares(.7, .2, .1))
    assert cat.box and dog.box is None and dog.label_score == pytest.approx(.2)
    cat, dog = locate(two, [picture()], Boxes((0., 0., .5, .5)), Shares(.5, .4, .1))
    assert cat.box and dog.box, 'near the top is near enough'
    assert locate([[]], [picture()], Boxes(), Shares()) == []


# one question

def evidence_of(captions, names): return dict(captions=captions, key_objects=names, evidence='It is so.')
def run_annotate(reply, **models):
    q = pair_of(STREET, 'What?', 'That.')
    return asyncio.run(annotate(q, Replies(evidence=reply), Bag(), models.get('detector', Boxes((0., 0., .5, .5))), Shares(.5, .5), lambda frames: [picture(f.time_s) for f in frames]))

def test_annotate():
    e = run_annotate(evidence_of([STREET[1], STREET[0]], [['red car'], ['light', 'red car']]))
    assert [c.frame.time_s for c in e.core] == [0., 2.] and [i.name for i in e.items] == ['light', 'red car', 'red car']
    assert [i.frame.time_s for i in e.items] == [0., 0., 2.]

@pytest.mark.parametrize('captions, names, reason, kind', [
    ([STREET[0], 'Zebra quartz.'], [[], []], 'cites no caption', 'quarantined'), ([STREET[0]], [[]], 'one core frame', 'dropped'),
    ([STREET[0], STREET[1]], [['car']], 'unequal lists', 'quarantined')])
def test_annotate_drops(captions, names, reason, kind):
    d = run_annotate(evidence_of(captions, names))
    assert isinstance(d, Drop) and (d.reason, d.kind, d.row_id) == (reason, kind, 'q') and len(d.detail) > 20


# split, options, faults

@quick
@given(st.text(), st.integers())
def test_options_are_a_bijection(id, seed):
    order = shuffle_options(id, seed)
    assert sorted(order) == [0, 1, 2, 3] and order == shuffle_options(id, seed)

@quick
@given(st.lists(st.text(min_size=1), min_size=2, unique=True), st.floats(0, 1), st.floats(0, 1))
def test_split_needs_no_other_video(ids, a, b):
    sides = {i: split_of(i, 0, a) for i in ids}
    assert {i: split_of(i, 0, a) for i in ids[1:]} == {i: sides[i] for i in ids[1:]}
    low, high = sorted((a, b))
    assert all(split_of(i, 0, high) == 'test' for i in ids if split_of(i, 0, low) == 'test')

@quick
@given(st.lists(st.text(alphabet='ab AB.the', max_size=8), min_size=4, max_size=4), st.integers(0, 99))
def test_a_test_item_has_its_answer_once_or_is_dropped(texts, seed):
    answer, *wrong = texts
    chain = Evidence('e', pair_of(STREET, 'What?', answer), (), (), 'x', 'm')
    row = asyncio.run(benchmark(chain, Replies(task=dict(task='Others', why=''), distractors=dict(distractors=wrong)), seed, 1.))
    if isinstance(row, Drop): assert faults(answer, [' '.join(w.split()) for w in wrong]) and row.reason == 'bad distractors'
    else:
        assert row.options[row.correct] == answer and len({plain(o) for o in row.options}) == 4

def test_equal_distractors_are_refused():
    for wrong in (['A cat.', 'a CAT!', 'dog'], ['The two red cars', 'x', 'y'], ['x', 'y']): assert faults('2 red cars.', wrong)
    assert not faults('2 red cars.', ['3 red cars.', '2 blue cars.', '2 red vans.'])

def test_training_rows_need_no_options():
    chain = Evidence('e', pair_of(STREET, 'What?', 'That.'), (), (), 'x', 'm')
    row = asyncio.run(benchmark(chain, Replies(task=dict(task='Others', why='')), 0, 0.))
    assert (row.split, row.options, row.correct) == ('train', (), -1)
