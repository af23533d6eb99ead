"The offline eyes: what they say is of one form, repeats with the picture, and is true of pictures whose truth is known"
import re
import cv2, numpy as np, pytest
from hypothesis import given, settings, strategies as st
from espresso.contracts import load
from espresso.offline.describer import describe
from espresso.offline.finder import ColourMatcher, Finder
from espresso.offline.motion import WAYS
from espresso.records import Frame
from espresso.video import Picture

COLOURS = dict(red=(212,48,44), orange=(242,134,30), yellow=(248,206,46), green=(52,158,78), blue=(46,98,206), purple=(134,70,184), pink=(242,112,168), cyan=(54,196,212))
STEPS = dict(zip(WAYS, [(1,0), (1,1), (0,1), (-1,1), (-1,0), (-1,-1), (0,-1), (1,-1)]))
GROUND = (165, 160, 150)
SENTENCE = re.compile(r"(?:The|An?|Two|Three|Four|Five|Something)(?: [a-z]+)* (?:is|are) [a-z, ]+\.")

def blank(w=320, h=240): return np.full((h, w, 3), GROUND, np.uint8)
def block(x, y, colour, a=40, w=320, h=240):
    im = blank(w, h); cv2.rectangle(im, (x, y), (x+a, y+a), COLOURS[colour], -1)
    return im
def noise(seed, w=160, h=120): return np.random.default_rng(seed).integers(0, 256, (h, w, 3)).astype(np.uint8)
def pictures(images): return [Picture(Frame('v', i, float(i)), im) for i, im in enumerate(images)]
def texture(seed=1): return cv2.resize(np.random.default_rng(seed).integers(0, 256, (40,60,3)).astype(np.uint8), (600,400), interpolation=cv2.INTER_CUBIC)

def assert_form(caption):
    parts = re.findall(r'[^.]+\.', caption)
    assert 1 <= len(parts) <= 7, caption
    for s in parts: assert SENTENCE.fullmatch(s.strip()), s

@pytest.mark.parametrize('way', STEPS)
@pytest.mark.parametrize('colour', ['red', 'blue', 'green'])
def test_direction_and_colour_of_a_moving_block(way, colour):
    dx, dy = STEPS[way]
    said = describe([block(140+dx*30*k, 100+dy*25*k, colour) for k in range(-1, 3)])
    for c in said: assert f'{colour} region is moving {way} ' in c, c
    assert not any('camera' in c or 'scene' in c for c in said)

def test_a_block_that_stays_does_not_move_and_is_said_the_same_way():
    said = describe([block(40, 40, 'red')]*5)
    assert len(set(said)) == 1 and 'moving' not in said[0] and 'red region is at the upper left' in said[0]

@pytest.mark.parametrize('x,y,words', [(20,20,'at the upper left'), (140,10,'at the top'), (250,190,'at the lower right'), (140,100,'in the middle'), (15,100,'on the left')])
def test_places(x, y, words): assert f'A blue region is {words}.' in describe([block(x, y, 'blue', 45)])[0].replace('small ', '')

def test_a_thing_taken_away_changes_the_caption():
    two = block(40, 100, 'blue'); cv2.rectangle(two, (240,100), (280,140), COLOURS['blue'], -1)
    said = describe([two]*3 + [block(40, 100, 'blue')]*3)
    assert 'Two blue regions are on the left and on the right.' in said[0].replace('small ', '')
    assert 'A blue region is on the left.' in said[4].replace('small ', '')
    assert 'Something is missing on the right.' in said[3]

@pytest.mark.parametrize('step,words', [((25,0),'panning to the right'), ((-25,0),'panning to the left'), ((0,25),'tilting down'), ((0,-25),'tilting up')])
def test_camera(step, words):
    world = texture()
    said = describe([world[100+step[1]*k:300+step[1]*k, 150+step[0]*k:450+step[0]*k] for k in range(4)])
    for c in said[1:]: assert f'The camera is {words}.' in c and 'Something is moving' not in c, c

def test_a_moving_thing_is_no_camera():
    assert not any('camera' in c for c in describe([block(20+40*k, 100, 'red') for k in range(6)]))

def test_cut_is_said_once():
    said = describe([texture(1)[:240,:320]]*3 + [(texture(2)[:240,:320]*.3).astype(np.uint8)]*3)
    assert ['The scene is new.' in c for c in said] == [False, False, False, True, False, False]

def test_exposure_is_no_change():
    im = block(60, 60, 'blue')
    said = describe([im, im, (im*.9).astype(np.uint8), (im*.9).astype(np.uint8)])
    assert not any('moving' in c or 'new' in c or 'missing' in c for c in said)

def test_light(): assert [describe([np.full((90,120,3), v, np.uint8)])[0].split('.')[0] for v in (0, 40, 190, 240)] == [
    'The picture is black', 'The picture is dark', 'The picture is bright', 'The picture is very bright']

@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 280), st.integers(0, 200), st.sampled_from(sorted(COLOURS)), st.integers(6, 90)), max_size=5), st.integers(1, 4), st.integers(0, 99))
def test_form_and_determinism(blocks, n, seed):
    rng, images = np.random.default_rng(seed), []
    for _ in range(n):
        im = blank()
        for x, y, c, a in blocks:
            dx, dy = rng.integers(-30, 31, 2)
            cv2.rectangle(im, (x+int(dx), y+int(dy)), (x+int(dx)+a, y+int(dy)+a), COLOURS[c], -1)
        images.append(im)
    said = describe(images)
    assert said == describe([im.copy() for im in images]) and len(said) == n
    for c in said: assert_form(c)

@pytest.mark.parametrize('shape', [(1,1), (2,300), (300,2), (7,5), (1080,1920)])
def test_any_size(shape):
    im = noise(0, shape[1], shape[0])
    for c in describe([im, im, 255-im]): assert_form(c)
    Finder().detect(pictures([im]), [['red car', 'person', 'something', 'face', 'blue region']])

def test_sizes_may_differ(): assert len(describe([blank(), blank(160, 120), blank()])) == 3
def test_nothing_in_nothing_out(): assert describe([]) == [] and Finder().detect([], []) == []

def photographs():
    data = pytest.importorskip('sklearn.datasets')
    return [im for im in data.load_sample_images().images]

def test_no_people_where_there_are_none():
    for im in [noise(k, 320, 240) for k in range(4)] + photographs():
        assert 'person' not in describe([im, im])[0]
        assert Finder().detect(pictures([im]), [['person', 'face', 'man']]) == [[]]

def test_a_name_it_does_not_know_is_not_found():
    assert Finder().detect(pictures([block(40, 40, 'red')]), [['kettle', 'dog', 'idea', '', 'green car', 'large']]) == [[]]

def test_finder_something_is_what_differs():
    a, b = Finder().detect(pictures([block(40, 100, 'red'), block(200, 100, 'red')]), [['something'], ['something']])
    assert a and b and Finder().detect(pictures([block(40, 100, 'red')]), [['something']]) == [[]]

def test_finder_place_decides_between_two():
    im = block(30, 100, 'red'); cv2.rectangle(im, (250,100), (290,140), COLOURS['red'], -1)
    left, right = Finder().detect(pictures([im, im]), [['red box on the left'], ['red box on the right']])
    assert left[0].box[2] < .5 < right[0].box[0]

@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-.5, 1.5)]*4), max_size=4), st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_match_rows_are_shares(boxes, labels):
    m = ColourMatcher().match(pictures([block(40, 40, 'red')])[0], boxes, labels)
    assert m.shape == (len(boxes), len(labels)) and np.allclose(m.sum(1), 1, atol=1e-5) and (m >= 0).all()

def test_match_prefers_the_colour():
    p = pictures([block(40, 40, 'red')])[0]
    assert ColourMatcher().match(p, [(.125,.16,.25,.34)], ['blue box', 'red box', 'kettle']).argmax() == 1

@pytest.mark.parametrize('kind', ['captioner', 'detector', 'matcher', 'embedder', 'chat'])
def test_names_say_what_it_is(kind):
    assert load(kind, 'offline').name
    with pytest.raises(ValueError): load(kind, 'offline:some-model')

def test_a_long_video_is_described_in_pieces():
    images = pictures([block(20+30*k, 100, 'red') for k in range(7)])
    whole, pieces = load('captioner', 'offline'), load('captioner', 'offline')
    pieces.at_once = 3
    said = pieces.caption('clip.mp4', images)
    assert len(said) == 7 and said[1:] == whole.caption('clip.mp4', images)[1:]
