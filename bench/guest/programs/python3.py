"""Dictionaries, lists, strings, numbers, regular expressions, JSON, classes, big integers: what scripts do."""
import collections
import hashlib
import heapq
import json
import math
import os
import random
import re
import struct
import zlib

SCALE = float(os.environ["BENCH_SCALE"])


def count(n):
    return max(1, round(n * SCALE))


def words(n):
    rng = random.Random(42)
    vocabulary = ["".join(rng.choice("abcdefghijklmnop") for _ in range(rng.randint(2, 9))) for _ in range(500)]
    return [rng.choice(vocabulary) for _ in range(n)]


def text():
    table = collections.Counter()
    lines = []
    items = words(count(60000))
    for at in range(0, len(items), 12):
        line = " ".join(items[at : at + 12]).capitalize() + f" {at:06d}."
        lines.append(line)
        for word in line.lower().rstrip(".").split():
            table[word] += len(word)
    joined = "\n".join(lines)
    pattern = re.compile(r"\b([a-d]\w+)\s+(\w*[e-h])\b")
    swapped, number = pattern.subn(lambda match: match.group(2) + match.group(1).upper(), joined)
    print("text", len(table), sorted(table.items(), key=lambda pair: (-pair[1], pair[0]))[:5], number)
    print("text", hashlib.sha256(swapped.encode()).hexdigest(), zlib.crc32(zlib.compress(swapped.encode(), 6)))


def records():
    rng = random.Random(7)
    rows = [
        {"id": i, "name": f"user{i}", "score": rng.random() * 100, "tags": [rng.randint(0, 9) for _ in range(5)]}
        for i in range(count(8000))
    ]
    for _ in range(3):
        encoded = json.dumps(rows, sort_keys=True)
        rows = json.loads(encoded)
        # The encoder and decoder that are written in Python, too.
        small = json.dumps(rows[:200], indent=1)
        assert json.loads(small) == rows[:200]
    by_tag = collections.defaultdict(list)
    for row in rows:
        for tag in row["tags"]:
            by_tag[tag].append(row["score"])
    print("records", len(encoded), {tag: round(math.fsum(values), 6) for tag, values in sorted(by_tag.items())})


class Vector:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x, self.y, self.z = x, y, z

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y, self.z + other.z)

    def __mul__(self, factor):
        return Vector(self.x * factor, self.y * factor, self.z * factor)

    def norm(self):
        return math.sqrt(self.x * self.x + self.y * self.y + self.z * self.z)


def objects():
    position, velocity = Vector(1.0, 0.0, 0.0), Vector(0.0, 0.7, 0.1)
    for _ in range(count(30000)):
        distance = position.norm()
        velocity = velocity + position * (-0.001 / (distance * distance * distance))
        position = position + velocity * 0.001
    print("objects", repr(position.x), repr(position.y), repr(position.z))
    print("objects", repr(sum(math.sin(i) * math.exp(-i / 1e4) + math.log1p(i) ** 1.5 for i in range(count(40000)))))


def numbers():
    n = count(60000)
    sieve = bytearray([1]) * n
    for i in range(2, int(n**0.5) + 1):
        if sieve[i]:
            sieve[i * i :: i] = bytes(len(range(i * i, n, i)))
    a, b = 0, 1
    for _ in range(count(4000)):
        a, b = b, a + b
    digits = len(str(a)) if a.bit_length() < 14000 else a.bit_length()
    print("numbers", sum(sieve), digits, pow(3, a | 1, (1 << 521) - 1) & 0xFFFFFFFF)
    queue = []
    state = 12345
    for i in range(count(20000)):
        state = (state * 1103515245 + 12345) % 2147483648
        heapq.heappush(queue, (state, i))
        if len(queue) > 300:
            heapq.heappop(queue)
    packed = b"".join(struct.pack("<IHd", value, i & 0xFFFF, value / 7) for value, i in sorted(queue))
    print("numbers", hashlib.md5(packed).hexdigest())


def permute(items):
    if len(items) <= 1:
        yield items
    else:
        for rest in permute(items[1:]):
            for i in range(len(items)):
                yield rest[:i] + items[:1] + rest[i:]


def generators():
    total = 0
    for repeat in range(count(6)):
        for number, order in enumerate(permute(tuple(range(7)))):
            try:
                if number % 3 == 0:
                    raise ValueError(order[0])
                total += order[-1] * repeat
            except ValueError as error:
                total += error.args[0]
    print("generators", total)


for part in (text, records, objects, numbers, generators):
    part()
