"The sample world: what must hold for every scene, whatever its seed"
import json, math, re
from collections import Counter, defaultdict
import cv2, numpy as np, pytest
from espresso.world.canvas import BRIGHT, PALETTE
from espresso.world.questions import FORMS, TASKS
from espresso.world.render import FAMILIES, make_scene, render

N = len(FAMILIES)
SCENES = [make_scene(i, seed=7) for i in range(5*N)]
CLIPS = [make_scene(i, seed=s) for s in (1, 2) for i in range(60)]
QUESTIONS = {id(s): s.questions() for s in CLIPS}
CLIP_QUESTIONS = [(s, q) for s in CLIPS for q in QUESTIONS[id(s)]]

def test_sentences_follow_the_grammar():
    for s in SCENES:
        for f in s.facts:
            assert re.fullmatch(r"[A-Z][a-z]*( [a-z]+)* (is|are) [a-z][a-z ]*\.", f.sentence), f.sentence
            assert len(re.findall(r'\b(?:is|are|was|were|has|have)\b', f.sentence)) == 1, f.sentence
        for t in np.linspace(0, s.seconds-.01, 9): assert 1 <= s.caption(t).count('.') <= 6, (s.family, t)

@pytest.mark.parametrize('family', FAMILIES)
def test_what_a_caption_names_is_visible(family):
    seen = missed = 0
    for s in (s for s in SCENES if s.family == family):
        for f in s.facts:
            for a, b in f.spans:
                for t in (a+(b-a)*.2, (a+b)/2, a+(b-a)*.8):
                    if f.sentence not in s.caption(t): continue
                    boxes = s.boxes(t)
                    for w in f.who: seen += 1; missed += w not in boxes
    assert seen > 100 and missed <= .01*seen, f'{missed} of {seen} things named in a caption were not to be seen'

def test_nothing_hides_what_is_said_to_lie_somewhere():
    "While a caption tells of a key in its place or of food on the board, its box stays nearly what it is at best: nobody stands before it, no pot on it"
    for s in (s for s in (make_scene(i, seed=2) for i in range(60)) if s.family in ('rooms', 'cooking')):
        areas = defaultdict(list)
        for t in np.arange(0, s.seconds, .5):
            boxes = s.boxes(t)
            for f in s.facts:
                if f.holds(t) and (' key is on ' in f.sentence or 'lying on the board' in f.sentence):
                    x0, y0, x1, y1 = boxes.get(f.who[0], (0,)*4); areas[f.sentence].append((x1-x0)*(y1-y0))
        assert areas
        for sentence, a in areas.items(): assert min(a) >= .85*max(a), (s.family, s.seed, sentence)

def iou(a, b):
    w, h = min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
    inter = max(w, 0)*max(h, 0)
    return inter/((a[2]-a[0])*(a[3]-a[1]) + (b[2]-b[0])*(b[3]-b[1]) - inter)

def test_boxes_fit_the_colour_that_the_name_carries():
    "The extent of the named colour in and around a box is nearly the box, for things that nothing covers"
    lab = {c: cv2.cvtColor(np.uint8([[PALETTE[c]]]), cv2.COLOR_RGB2HSV)[0, 0].astype(int) for c in BRIGHT}
    good = total = 0
    for s in SCENES:
        for t in np.linspace(.5, s.seconds-.5, 4):
            hsv, boxes = cv2.cvtColor(s.draw(t), cv2.COLOR_RGB2HSV).astype(int), s.boxes(t)
            for name, box in boxes.items():
                assert 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1
                colour = next((c for c in BRIGHT if c in name.split()), None)
                if not colour or any(iou(box, o) > 0 for n, o in boxes.items() if n != name): continue
                x0, y0, x1, y1 = (int(v*k) for v, k in zip((box[0]-.02, box[1]-.02, box[2]+.02, box[3]+.02), (320, 240)*2))
                part = hsv[max(y0, 0):y1, max(x0, 0):x1]
                hue = np.abs(part[..., 0]-lab[colour][0]); near = (np.minimum(hue, 180-hue) <= 7) & (part[..., 1] > 105)
                ys, xs = np.flatnonzero(near.sum(1) > 1), np.flatnonzero(near.sum(0) > 1)
                total += 1
                if len(ys) and len(xs):
                    found = ((xs[0]+max(x0, 0))/320, (ys[0]+max(y0, 0))/240, (xs[-1]+1+max(x0, 0))/320, (ys[-1]+1+max(y0, 0))/240)
                    good += iou(found, box) >= .5
    assert total > 200 and good >= .95*total, f'{good} of {total}'

def test_a_box_is_where_the_picture_changes():
    "Without a thing, the picture differs inside its box and nowhere else, shadows and glow aside"
    for s in SCENES[:N]:
        t = s.seconds*.3; boxes, full = s.boxes(t), s.draw(t).astype(int)
        for name, (x0, y0, x1, y1) in boxes.items():
            rest = make_scene(SCENES.index(s), seed=7); rest.actors = [a for a in rest.actors if a[0] != name]
            changed = np.abs(rest.draw(t).astype(int)-full).max(-1) > 60
            ys, xs = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
            assert len(ys), (s.family, name)
            assert xs[0] >= x0*320-3 and xs[-1] <= x1*320+3 and ys[0] >= y0*240-3 and ys[-1] <= y1*240+3, (s.family, name)

def test_questions_rest_on_what_is_shown():
    for s, q in CLIP_QUESTIONS:
        assert len(q.core) >= 2 and len({c.time for c in q.core}) >= 2, q
        for c in q.core:
            assert c.sentence in s.caption(c.time), (s.family, c, s.caption(c.time))
            assert c.start <= c.time <= c.end and 0 <= c.start < c.end <= s.seconds
        assert max(c.start for c in q.core) >= min(c.end for c in q.core), ('one frame shows it all', q)
        assert len({q.answer, *q.distractors}) == 4, q
        assert q.items and all(any(t == c.time for c in q.core) for _, t, _ in q.items)
        assert not re.search(r'[{}]', q.question + q.answer + q.evidence) and q.question[-1] in '?.' and q.question[0].isupper()

def test_all_tasks_in_sixty_clips():
    for k in range(2):
        assert {q.task for s in CLIPS[60*k:60*k+60] for q in QUESTIONS[id(s)]} == set(TASKS)

def test_wordings_of_the_test_stay_out_of_training():
    by = {split: {q.form for s, q in CLIP_QUESTIONS if s.split == split} for split in ('train', 'test')}
    for s, q in CLIP_QUESTIONS: assert q.split_form in (s.split, 'both')
    only = {q.form for _, q in CLIP_QUESTIONS if q.split_form == 'test'}
    assert only and only <= by['test'] and not only & by['train']
    assert {'cause', 'change', 'unused'} == {f.split('/')[0] for f in by['test']} - {f.split('/')[0] for f in by['train']}

def test_no_form_has_one_answer():
    answers = defaultdict(Counter)
    for _, q in CLIP_QUESTIONS: answers[q.form.split('/')[0]][q.answer] += 1
    for form, c in answers.items(): assert c.total() < 12 or c.most_common(1)[0][1] <= .5*c.total(), (form, c.most_common(2))

def test_answers_cannot_be_guessed_without_looking():
    "Words of an option, given the form: a naive Bayes reader of questions alone stays near one in four"
    fit, held = CLIP_QUESTIONS[::2], CLIP_QUESTIONS[1::2]
    right, wrong = Counter(), Counter()
    def words(q, option):
        form = q.form.split('/')[0]; plain = re.sub('|'.join(PALETTE), 'colour', option.lower())
        return [(form, w) for w in set(re.findall(r'\w+', plain)) | {plain, ('in', len(set(re.findall(r'\w+', option.lower())) & set(re.findall(r'\w+', q.question.lower()))))}]
    for _, q in fit:
        right.update(words(q, q.answer))
        for d in q.distractors: wrong.update(words(q, d))
    hits = 0
    for _, q in held:
        score = lambda o: sum(math.log((right[w]+1)/(wrong[w]+3)) for w in words(q, o))
        best = max(map(score, (q.answer, *q.distractors))); ties = [o for o in (q.answer, *q.distractors) if score(o) == best]
        hits += (q.answer in ties)/len(ties)
    print(f'blind {hits/len(held):.3f} of {len(held)}')
    assert hits/len(held) < .36

def _slots(option):
    "The parts of an answer that is put together: `First a, then b.` or `It went from the a to the b.`"
    if option.startswith('First '): return re.split(', then |, ', option.removeprefix('First ').rstrip('.'))
    return option.rstrip('.').removeprefix('It went from ').split(' to ') if option.startswith('It went from') else None

def test_answers_cannot_be_put_together_from_the_options():
    "By form: the option whose parts are commonest, or rarest, or that has its reverse, is right about as often as chance has it"
    tried = defaultdict(list)
    for seed in 0, 2, 3, 4:
        for n in range(120):
            s = make_scene(n, seed); s.boxes = lambda t: {}
            for q in s.questions():
                options = (q.answer, *q.distractors); parts = [_slots(o) for o in options]
                if None in parts or len({len(p) for p in parts}) > 1: continue
                common = [sum(p[k] == other[k] for other in parts for k in range(len(p))) for p in parts]
                turned = [p[::-1] in parts for p in parts]
                mixed = [t - c/99 for t, c in zip(turned, common)]
                for how, score in dict(common=common, rare=[-c for c in common], turned=turned, mixed=mixed).items():
                    best = [v == max(score) for v in score]
                    tried[q.form.split('/')[0], how].append(best[0]/sum(best))
    assert {'queue', 'change', 'where', 'feeling', 'order', 'steps'} <= {form for form, _ in tried}
    for key, hits in tried.items(): assert len(hits) < 30 or np.mean(hits) < .45, (key, round(float(np.mean(hits)), 3), len(hits))

def test_vehicles_pass_in_the_order_that_is_told():
    "Whose box comes first over the middle of the crossing is asked of the pictures"
    for n in range(0, 90, 6):
        s, middle = make_scene(n, 2), 228/320
        told = next(a for form, a, *_ in s._asks if form == 'queue'); order = re.match('First the (.*), then the (.*), then the (.*)[.]', told).groups()
        sides, passed = {}, {}
        for t in np.arange(0, s.seconds, .1):
            for name, (x0, _, x1, _) in s.boxes(t).items():
                if name not in order: continue
                side = (x0+x1)/2 > middle
                if sides.setdefault(name, side) != side: passed.setdefault(name, t)
        assert tuple(sorted(passed, key=passed.get)) == order, (n, told, passed)

def test_what_was_never_used_is_one_thing():
    for n in range(240):
        s = make_scene(n, 2); s.boxes = lambda t: {}
        for q in s.questions():
            if not q.form.startswith('unused'): continue
            used = ' '.join(f.sentence for f in s.facts if ' is putting ' in f.sentence)
            assert [o for o in (q.answer, *q.distractors) if o.removeprefix('The ').rstrip('.') not in used] == [q.answer], (n, q)

def test_the_same_number_is_the_same_scene(tmp_path):
    a, b = make_scene(11, 3), make_scene(11, 3)
    np.testing.assert_array_equal(a.draw(4.), b.draw(4.))
    assert a.questions() == b.questions() and a.caption(4.) == b.caption(4.)
    assert make_scene(11, 4).caption(4.) != a.caption(4.)
    first = {p.name: p.read_bytes() for p in [*render(tmp_path/'a', 2, fps=2, width=96, seconds=(8, 8))] for p in (p, p.with_suffix('.truth.json'))}
    again = {p.name: p.read_bytes() for p in [*render(tmp_path/'b', 2, fps=2, width=96, seconds=(8, 8), workers=1)] for p in (p, p.with_suffix('.truth.json'))}
    assert first == again
    truth = json.loads(first['world-000.truth.json'])
    assert len(truth['frames']) == 16 and truth['captions'][truth['frames'][3]['caption']] == make_scene(0, seconds=(8, 8)).caption(1.5)

@pytest.mark.parametrize('seconds', (8, 60))
def test_any_length(seconds):
    for i in range(2*N):
        s = make_scene(i, 5, (seconds, seconds))
        for t in np.linspace(0, seconds-.01, 13): assert s.caption(t)
        assert len(s.questions()) >= 3 and s.draw(seconds/2, 96).shape == (72, 96, 3)
