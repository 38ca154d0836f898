python3 /bench/work.py
