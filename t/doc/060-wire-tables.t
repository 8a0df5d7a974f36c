#!/usr/bin/perl
# The tables of cyphonic-protocol(7) are what the program's own table of the wire says.
use strict;
use warnings;
use Test::More;

my $program = ($ENV{O} || 'build/plain') . '/cyphonic';
my $page = 'man/cyphonic-protocol.7';

plan skip_all => "$program is not built" unless -x $program;
plan skip_all => "$page is not written" unless -e $page;

my $printed = `$program print wire-manual`;
ok($? == 0 && length $printed, "'print wire-manual' prints " . ($printed =~ tr/\n//) . ' lines');
open my $f, '<', $page or die "$page: $!";
my $text = do { local $/; <$f> };
my ($tables) = $text =~ /^(\.\\" BEGIN wire-manual.*?^\.\\" END wire-manual\n)/ms;
ok(defined $tables, "$page has its two marks");
my (@has, @should) = ();
@has = split /\n/, $tables // '';
@should = split /\n/, $printed;
my $line = 0;
$line++ while $line < @has && $line < @should && $has[$line] eq $should[$line];
ok(@has == @should && $line == @has, "what stands between them is what 'print wire-manual' prints")
	or diag("line $line of the tables:\n  has    " . ($has[$line] // 'nothing') . "\n  should " . ($should[$line] // 'end'));
done_testing();
