"""Requests a second of our chat client, beside the openai library called bare, against a server on loopback.

    python benchmarks/chat.py [--requests 2000] [--concurrency 16] [--rounds 3]

Bare is `AsyncOpenAI.chat.completions.create` and nothing else. Ours does the same and hashes, stores, prices and checks every answer against its schema.
Rounds alternate, the best of each counts. The server is a process of its own.
"""
import argparse, asyncio, subprocess, sys, tempfile, time
from pathlib import Path
import openai
from espresso.backends.chat import chat
from espresso.store import Store

SCHEMA = {'title': 'verdict', 'type': 'object', 'properties': {'keep': {'type': 'boolean'}}, 'required': ['keep'], 'additionalProperties': False}
FORM = {'type': 'json_schema', 'json_schema': {'name': 'verdict', 'schema': SCHEMA}}


def question(n): return [{'role': 'user', 'content': f'Question {n}: ' + 'a caption of some length stands here. '*40}]


async def timed(one, numbers, concurrency):
    "Wall and processor seconds for all numbers"
    todo = iter(numbers)
    async def worker():
        for n in todo: await one(n)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*[worker() for _ in range(concurrency)])
    return time.perf_counter()-wall, time.process_time()-cpu


async def compare(url, requests, concurrency, rounds, folder):
    bare = openai.AsyncOpenAI(base_url=url, api_key='none', max_retries=0)
    ours = chat('tiny', store=Store(folder/'store.sqlite'), base_url=url, concurrency=str(concurrency), price_in='1', price_out='1', max_money='1000')
    async def ask_bare(n): await bare.chat.completions.create(model='tiny', messages=question(n), response_format=FORM)
    async def ask_ours(n): await ours.ask(question(n), SCHEMA)
    best = {}
    for r in range(rounds):
        numbers = range(r*requests, (r+1)*requests)
        for name, one in ('bare', ask_bare), ('ours', ask_ours), ('stored', ask_ours):
            wall, cpu = await timed(one, numbers, concurrency)
            best[name] = min(best.get(name, (9e9, 9e9)), (wall, cpu))
    for name, (wall, cpu) in best.items(): print(f'{name:7} {requests/wall:7.0f} requests/s   {1000*cpu/requests:5.2f} ms of processor each')
    print(f'ours / bare: {best["bare"][0]/best["ours"][0]:.2f}')


if __name__ == '__main__':
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in ('requests', 2000), ('concurrency', 16), ('rounds', 3): a.add_argument(f'--{name}', type=int, default=default)
    args = a.parse_args()
    server = subprocess.Popen([sys.executable, str(Path(__file__).parent.parent/'tests'/'server.py')], stdout=subprocess.PIPE, text=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(compare(f'http://127.0.0.1:{int(server.stdout.readline())}/v1', args.requests, args.concurrency, args.rounds, Path(folder)))
    finally: server.kill()
