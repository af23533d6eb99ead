"""How soon a small language model learns to bind a name to what is said of it, on facts that nobody could guess.

    python benchmarks/binding.py [--class qwen2] [--plain] [--rate 0.008] [--steps 250] [--seed 0]

A new language model of the size of nano/base reads nonsense (`espresso.nano.texts.nonsense`) and now and then echoes words. Then it is asked for 100 things among two facts and 100 among four; what it says must be right in every word.
Guessing which of the facts was meant gives a half and a quarter. `--plain` leaves Qwen2's heads as they are born; the other classes always begin that way, at their own defaults but for the size. `--rate` is Muon's, for matrices.
"""
import argparse, random
import torch
from transformers import AutoModelForCausalLM, Lfm2Config, Qwen2Config, Qwen3Config
from espresso.backends.weights import quick_attention
from espresso.nano import learning
from espresso.nano.base import raise_model, samples_for
from espresso.nano.texts import bare_question, doing, nonsense, sayings
from espresso.nano.toy import exact, look_back
from espresso.nano.words import tokenizer, world_texts

CLASSES = dict(qwen2=Qwen2Config, qwen3=Qwen3Config, lfm2=Lfm2Config)

def model_of(kind, plain, tok):
    like = dict(vocab_size=len(tok), hidden_size=160, intermediate_size=320, num_hidden_layers=4, num_attention_heads=5, num_key_value_heads=5, head_dim=32, pad_token_id=tok.pad_token_id, eos_token_id=tok.eos_token_id, bos_token_id=None, tie_word_embeddings=True)
    if kind == 'lfm2': like |= dict(layer_types=['conv', 'full_attention']*2, block_auto_adjust_ff_dim=False)
    model = AutoModelForCausalLM.from_config(CLASSES[kind](**like), attn_implementation=quick_attention())
    model.config.image_token_id = -1 # `reply_loss` leaves pictures out; here are none
    if kind == 'qwen2' and not plain: look_back(model.model)
    return model

def asked(names, said, facts, rng):
    while True: # `nonsense` draws how many; ask for those with the right number
        text, told = nonsense(names, said, rng, facts)
        if len(told) == facts: break
    question, answer = bare_question(told, rng, (doing,))[1:]
    return [(f'{text}\n{question}', answer)], None

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--class', dest='kind', default='qwen2', choices=CLASSES); p.add_argument('--plain', action='store_true')
    p.add_argument('--rate', type=float, default=learning.RATES['matrices']); p.add_argument('--steps', type=int, default=250); p.add_argument('--seed', type=int, default=0)
    a = p.parse_args()
    torch.set_num_threads(1); torch.manual_seed(a.seed)
    learning.RATES['matrices'] = a.rate
    tok, known = tokenizer(*world_texts(1200)), sayings(400, 1000)
    model, make = model_of(a.kind, a.plain, tok), samples_for(tok, [], (0, 20000), 1000)
    raise_model(model, tok, [(.1, 16, make['echo']), (.9, 8, make['bind'])], a.steps, a.seed, name='binding')
    right = {n: sum(exact(model, tok, [asked(*known, n, random.Random(f'{n} {k}')) for k in range(100)])) for n in (2, 4)}
    print(f'{a.kind}{" plain" if a.plain else ""}, rate {a.rate:g}, {a.steps} steps: {right[2]} % among two, {right[4]} % among four')

if __name__ == '__main__': main()
