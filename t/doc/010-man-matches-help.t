#!/usr/bin/perl
# What `cyphonic -h` lists and what cyphonic(8) describes are the same verbs and options.
use strict;
use warnings;
use Test::More;

my $program = ($ENV{O} || 'build/plain') . '/cyphonic';
my $page = 'man/cyphonic.8';
# options of other programs that the page mentions, sorted
my %foreign = map { $_ => 1 } qw();

plan skip_all => "$program is not built" unless -x $program;
plan skip_all => "$page is not written" unless -e $page;

my $help = `$program -h`;
is($?, 0, 'cyphonic -h succeeds');

# the indented rows below a heading, cut at the gap before the sentence
sub rows {
	my ($heading) = @_;
	my ($block) = $help =~ /^\Q$heading\E:\n((?:[ \t]+.*\n)+)/m or return;
	return map { s/^\s+//r =~ s/\s{2,}.*//r } split /\n/, $block;
}

# "account add ID" without what it takes
my %verb = map { s/\s*[A-Z\[].*//r => 1 } rows('Verbs');
my %option;
for (rows('Options')) {
	$option{$_} = 1 for /(?<![\w-])(--?[A-Za-z][\w-]*)/g;
}
ok(%verb, scalar(keys %verb) . ' verbs in the help');
ok(%option, scalar(keys %option) . ' options in the help');

open my $f, '<', $page or die "$page: $!";
my @lines = map { chomp; s/\\-/-/gr =~ s/\\&//gr } <$f>;

# all flags of the page: "Fl c", "Fl -config", "Fl Fl config"
my %man_option;
for (@lines) {
	next unless /^\./;
	while (/\bFl\s+(Fl\s+-?|-)?([A-Za-z][\w-]*)/g) {
		$man_option{(defined $1 ? '--' : '-') . $2} = 1;
	}
}
# all items that begin with a command: "It Ic account add Ar ID", "It Nm cyphonic account add"
my %man_verb;
for (@lines) {
	my ($rest) = /^\.It\s+(?:Xo\s+)?(?:Nm(?:\s+cyphonic)?\s+)?(?:Ic|Cm)\s+(.*)/ or next;
	$rest =~ s/\b(?:Ic|Cm)\s+//g;
	$rest =~ s/^cyphonic\s+//;
	my @words = $rest =~ /\G\s*([a-z][a-z-]*)(?=\s|$)/g;
	$man_verb{join ' ', @words} = 1 if @words;
}

sub compare {
	my ($what, $left, $right, $title) = @_;
	my @missing = grep { !$right->{$_} && !$foreign{$_} } sort keys %$left;
	ok(!@missing, $title) or diag("$what: @{[join ', ', @missing]}");
}

my %first = map { (split ' ')[0] => 1 } keys %verb;
my %man_known = map { $_ => 1 } grep { $first{(split ' ')[0]} || /\s/ } keys %man_verb;
compare('missing in the page', \%verb, \%man_verb, 'every verb of the help is an item of the page');
compare('missing in the help', \%man_known, \%verb, 'every verb of the page is in the help');
compare('missing in the page', \%option, \%man_option, 'every option of the help is in the page');
compare('missing in the help', \%man_option, \%option, 'every option of the page is in the help');
done_testing();
