# Text: logs are made, parsed, counted, sorted, rewritten.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use List::Util qw(sum max);

my $scale = $ENV{BENCH_SCALE};
sub count { my $n = int($_[0] * $scale + 0.5); return $n < 1 ? 1 : $n }

my $state = 42;
sub pick { $state = ($state * 16807) % 2147483647; return $state % $_[0] }

my @verbs = qw(GET POST PUT DELETE HEAD);
my @hosts = map { join '.', 10, $_ % 7, $_ * 3 % 256, $_ } 1 .. 60;
my @lines;
for my $number (1 .. count(25000)) {
    my $path = join '/', '', map { chr(97 + pick(26)) . pick(90) } 1 .. 1 + pick(4);
    push @lines, sprintf '%s - [%02d:%02d:%02d] "%s %s HTTP/1.%d" %d %d', $hosts[pick(60)], pick(24), pick(60), pick(60),
        $verbs[pick(5)], $path, pick(2), (200, 301, 404, 500)[pick(4)], pick(100000);
}

my (%bytes, %status, %hours, %segments);
for (@lines) {
    next unless m{^(\S+) - \[(\d\d):\d\d:\d\d\] "([A-Z]+) (\S+) HTTP/1\.[01]" (\d{3}) (\d+)$};
    $bytes{$1} += $6;
    $status{$5}{$3}++;
    $hours{$2}++;
    $segments{$_}++ for grep { length } split m{/}, $4;
}
printf "%s %d\n", $_, $bytes{$_} for sort { $bytes{$b} <=> $bytes{$a} || $a cmp $b } keys %bytes;
for my $code (sort keys %status) {
    print "$code ", join(' ', map { "$_=$status{$code}{$_}" } sort keys %{ $status{$code} }), "\n";
}
print join(',', map { "$_:$hours{$_}" } sort keys %hours), "\n";
print join(' ', (sort { $segments{$b} <=> $segments{$a} || $a cmp $b } keys %segments)[0 .. 9]), "\n";

my $text = join "\n", @lines;
(my $upper = $text) =~ s/\b([a-z])(\d+)/\U$1\E<$2>/g;
my $vowels = ($text =~ tr/aeiou//);
my $pairs = 0;
$pairs++ while $upper =~ /(?<a>[A-Z])<(\d)\d*>\/(?!\g{a})[A-M]/g;
print md5_hex($upper), " $vowels $pairs\n";
print md5_hex(join "\n", sort { lc $a cmp lc $b or $a cmp $b } reverse @lines), "\n";

my @sorted = map { $_->[1] } sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] } map { [(split ' ')[-1], $_] } @lines;
print md5_hex(join '|', @sorted), "\n";

my @heap = map { { key => pick(1000), list => [map { pick(50) } 1 .. 4] } } 1 .. count(8000);
my $total = 0;
$total += $_->{key} * max(@{ $_->{list} }) - sum(@{ $_->{list} }) for @heap;
printf "%d %.9g\n", $total, sum(map { sqrt($_->{key}) * exp(-$_->{list}[0] / 20) } @heap);

sub ackermann {
    my ($m, $n) = @_;
    return $n + 1 if $m == 0;
    return ackermann($m - 1, 1) if $n == 0;
    return ackermann($m - 1, ackermann($m, $n - 1));
}
no warnings 'recursion';
my $sum = 0;
$sum += ackermann(2, 20 + $_ % 10) for 1 .. count(60);
print "$sum\n";

my $packed = join '', map { pack 'NvCa4d<', $_->{key}, $_->{list}[1], $_->{list}[2], "x$_->{key}", $_->{key} / 3 } @heap;
my $unpacked = 0;
for (my $at = 0; $at < length $packed; $at += 19) {
    my ($key, $one, $two, $name, $third) = unpack 'NvCa4d<', substr $packed, $at, 19;
    $unpacked += $key + $one * $two + int($third * 3 + 0.5);
}
print "$unpacked ", md5_hex($packed), "\n";
