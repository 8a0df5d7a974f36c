#!/usr/bin/perl
# State has an owner: no object file has a variable of its own that can be written.
# (Constant tables with pointers land in .data.rel.ro, which is read-only after loading.)
use strict;
use warnings;
use Test::More;

my $O = $ENV{O} || 'build/plain';
# object symbol, sorted
my %allowed = map { $_ => 1 } (
	'cyphonic.o sink',	# cy_log()'s end: the program's, not a room's
);

my @objects = sort grep { -e s{^\Q$O\E/(.*)\.o$}{$1.c}r }
	glob "$O/*.o $O/crypto/*.o $O/store/*.o $O/net/*.o $O/net/proto/*.o $O/net/io/*.o $O/roles/*.o";
plan skip_all => "no objects in $O" unless @objects;

my ($constants, @bad, %used) = (0);
for my $object (@objects) {
	my $name = $object =~ s{^\Q$O\E/}{}r;
	for (`nm -f sysv $object`) {
		my ($symbol, undef, undef, $type, undef, undef, $section) = map { s/^\s+|\s+$//gr } split /\|/;
		next unless defined $section && $type eq 'OBJECT' || ($type // '') eq 'TLS';
		next if $symbol =~ /^(?:__asan|__odr_asan|__ubsan|__sancov)/;
		$constants++ if $section =~ /^\.(?:rodata|data\.rel\.ro)/;
		next unless $section =~ /^(?:\.data|\.bss|\.tdata|\.tbss|\*?COM)/ && $section !~ /^\.data\.rel\.ro/;
		my $key = "$name " . ($symbol =~ s/\.\d+$//r);
		$used{$key} = 1;
		push @bad, "$key ($section)" unless $allowed{$key};
	}
}
ok(!@bad, scalar(@objects) . " objects have no writable variables, $constants constant ones") or diag(join "\n", @bad);
my @idle = grep { !$used{$_} && -e "$O/" . (split ' ')[0] } sort keys %allowed;
ok(!@idle, 'every exception is still needed') or diag(join "\n", @idle);
done_testing();
