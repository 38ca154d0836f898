perl /bench/work.pl
