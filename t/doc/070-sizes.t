#!/usr/bin/perl
# A file is one idea and a function is one screen.
use strict;
use warnings;
use Test::More;

my ($file_limit, $function_limit) = (600, 70);
# "file" or "file function", sorted; each needs its reason behind it
my %exception = map { $_ => 1 } (
);

my (@bad, @files, @functions, %used);
for my $file (sort glob 'cyphonic.c text.c crypto/*.c store/*.c net/*.c net/proto/*.c net/io/*.c roles/*.c') {
	next unless -f $file;
	open my $f, '<', $file or die "$file: $!";
	my ($name, $start) = ('?');
	while (<$f>) {
		$name = $1 if /^[A-Za-z_].*?(\w+)\s*\(/;
		$start = $. if /^\{/;
		next unless /^\}/ && defined $start;
		push @functions, $. - $start + 1;
		check("$file $name", $. - $start + 1, $function_limit);
		undef $start;
	}
	push @files, $.;
	check($file, $., $file_limit);
}

sub check {
	my ($what, $lines, $limit) = @_;
	return if $lines <= $limit;
	$used{$what} = 1;
	push @bad, "$what: $lines lines, limit $limit" unless $exception{$what};
}

sub spread {
	my @n = sort { $a <=> $b } @_;
	return sprintf 'median %d, p90 %d, longest %d', $n[@n / 2], $n[@n * 0.9], $n[-1];
}

plan skip_all => 'no sources' unless @files && @functions;
note(scalar(@files) . ' files, lines: ' . spread(@files));
note(scalar(@functions) . ' functions, lines: ' . spread(@functions));
ok(!@bad, "no file above $file_limit lines, no function above $function_limit") or diag(join "\n", @bad);
my @idle = grep { !$used{$_} } sort keys %exception;
ok(!@idle, 'every exception is still needed') or diag(join "\n", @idle);
done_testing();
