#!/usr/bin/perl
# The example file loads and names every key; manual and example are what the program prints.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $program = ($ENV{O} || 'build/plain') . '/cyphonic';
my ($example, $page) = ('config.example.yaml', 'man/cyphonic.yaml.5');

sub slurp {
	open my $f, '<', $_[0] or die "$_[0]: $!";
	local $/;
	return scalar <$f>;
}

# the first line in which two texts differ, for whoever has to mend it
sub same {
	my ($got, $want, $title) = @_;
	my ($line, @got, @want) = (0);
	return if ok($got eq $want, $title);
	@got = split /\n/, $got;
	@want = split /\n/, $want;
	$line++ while $line < @got && $line < @want && $got[$line] eq $want[$line];
	diag('line ' . ($line + 1) . ":\n  has    " . ($got[$line] // 'nothing') . "\n  should " . ($want[$line] // 'end'));
}

my ($text, $manual) = (slurp($example), slurp($page));
my ($section, $keys, @missing) = ('', 0);
my $def = slurp('store/config.def') =~ s{/\*.*?\*/}{}sr;
while ($def =~ /^(END_SECTION|SECTION)\((\w+)|^[A-Z_]+\(\w+,\s*"([\w-]+)"/mg) {
	if (defined $3) {
		my ($key, $indent) = ($3, $section eq '' ? '' : '  ');
		my $part = $section eq '' ? $text : ($text =~ /^\Q$section\E:\n(.*?)(?=^\S|\z)/ms)[0];
		$keys++;
		push @missing, "$section $key" unless ($part // '') =~ /^$indent#?\Q$key\E: \S/m;
		push @missing, "$page: $section $key" unless $manual =~ /^\.It Cm \Q$key\E :/m;
	} else {
		$section = $1 eq 'SECTION' ? $2 : '';
	}
}
ok($keys > 20 && !@missing, "example and manual name all $keys keys of config.def") or diag(join "\n", @missing);

SKIP: {
	skip "$program is not built", 4 unless -x $program;
	my $dir = tempdir(CLEANUP => 1);
	# the user the example names need not exist on this machine
	open my $f, '>', "$dir/example.yaml" or die;
	print $f $text =~ s/^#?user: .*/user: root/mr;
	close $f;
	chmod 0644, "$dir/example.yaml";
	my $said = `$program -t -c $dir/example.yaml 2>&1`;
	is($?, 0, 'the example file loads') or diag($said);
	same($text, scalar `$program print config-example`, "$example is what 'print config-example' prints");
	my ($list) = $manual =~ /^(\.\\" BEGIN config-manual.*?^\.\\" END config-manual\n)/ms;
	same($list // '', scalar `$program print config-manual`, "the list in $page is what 'print config-manual' prints");

	my $count = 0;
	for ($manual =~ /^\.Bd -literal.*?\n(role: .*?)^\.Ed/msg) {
		open my $x, '>', "$dir/page.yaml" or die;
		print $x s/\\-/-/gr, "user: root\n";
		close $x;
		chmod 0644, "$dir/page.yaml";
		my $lines = tr/\n//;
		$said = `$program -t -c $dir/page.yaml 2>&1`;
		ok($? == 0 && $lines < 10, "example " . ++$count . " of $page loads and is shorter than ten lines")
			or diag($said);
	}
	is($count, 2, 'the page has an example for a lab and one for a node');
}
done_testing();
