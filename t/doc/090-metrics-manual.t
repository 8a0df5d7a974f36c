#!/usr/bin/perl
# The metrics' list in cyphonic(8) is what the program's table says.
use strict;
use warnings;
use Test::More;

my $program = ($ENV{O} || 'build/plain') . '/cyphonic';
my $page = 'man/cyphonic.8';

plan skip_all => "$program is not built" unless -x $program;
my $printed = `$program print metrics-manual`;
ok($? == 0 && length $printed, "'print metrics-manual' prints something");
open my $f, '<', $page or die "$page: $!";
my $text = do { local $/; <$f> };
my ($list) = $text =~ /^(\.\\" BEGIN metrics-manual.*?^\.\\" END metrics-manual\n)/ms;
is($list // '', $printed, "$page has it between its marks (make manual)");
open my $d, '<', 'net/io/metrics.def' or die;
my @name = map { /^METRIC\(\w+, (\w+)/ ? $1 : () } <$d>;
my @missing = grep { $text !~ /cyphonic_\Q$_\E\b/ } @name;
ok(@name > 20 && !@missing, 'each of ' . @name . ' metrics is in the page') or diag("@missing");
done_testing();
