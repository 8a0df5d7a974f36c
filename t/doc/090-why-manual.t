#!/usr/bin/perl
# The reasons in cyphonic(8) are those of the program's table.
use strict;
use warnings;
use Test::More;

my $program = ($ENV{O} || 'build/plain') . '/cyphonic';
my $page = 'man/cyphonic.8';

plan skip_all => "$program is not built" unless -x $program;
my $printed = `$program print why-manual`;
ok($? == 0 && length $printed, "'print why-manual' prints something");
open my $f, '<', $page or die "$page: $!";
my $text = do { local $/; <$f> };
my ($list) = $text =~ /^(\.\\" BEGIN why-manual.*?^\.\\" END why-manual\n)/ms;
is($list // '', $printed, "$page has it between its marks (make manual)");
done_testing();
