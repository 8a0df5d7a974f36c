#!/usr/bin/perl
# Includes go downward only, and each library has one room that knows it.
#
#	cyphonic.c -> net/io, roles -> net/role.h -> net/proto -> store -> crypto -> cyphonic.h
use strict;
use warnings;
use Test::More;

# room => what its files may include of ours
my %may = (
	''          => qr{^(?:cyphonic\.h|net/|roles/|store/)},	# cyphonic.c and text.c
	'crypto'    => qr{^(?:cyphonic\.h|crypto/)},
	'store'     => qr{^(?:cyphonic\.h|crypto/|store/)},
	'net/proto' => qr{^(?:cyphonic\.h|crypto/|net/proto/)},
	'net'       => qr{^(?:cyphonic\.h|net/proto/(?:outbox|verdict)\.h)$},
	'roles'     => qr{^(?:cyphonic\.h|crypto/|store/|net/proto/|net/(?:role|priv|netcheck)\.h|roles/)},
	'net/io'    => qr{^(?:cyphonic\.h|net/io/|net/(?:role|priv|netcheck)\.h|net/proto/(?:outbox|verdict)\.h|
			store/(?:config\.(?:h|def)|store\.h|keep\.h)$)}x,
);
# library => the files that may know it
my @library = (
	[qr{^openssl/}, qr{^crypto/}],
	[qr{^ev\.h$}, qr{^net/io/.*\.c$}],
	[qr{^lmdb\.h$}, qr{^store/}],
	[qr{^yaml\.h$}, qr{^store/}],
	[qr{^libmnl/}, qr{^net/io/}],
	[qr{^systemd/}, qr{^net/io/}],
	[qr{^jansson\.h$}, qr{^(?:roles|net/io)/}],
);

my ($count, @bad) = (0);
for my $room (sort keys %may) {
	my $dir = $room eq '' ? '' : "$room/";
	for my $file (sort glob "${dir}*.c ${dir}*.h") {
		next unless -f $file;
		open my $f, '<', $file or die "$file: $!";
		while (<$f>) {
			/^\s*#\s*include\s*(["<])([^">]+)[">]/ or next;
			my ($ours, $name) = ($1 eq '"', $2);
			$count++;
			push @bad, "$file:$.: $name is not for $dir" if $ours && $name !~ $may{$room};
			push @bad, "$file:$.: \"$name\" is not a path from the root" if $ours && !-e $name;
			for (@library) {
				push @bad, "$file:$.: <$name> has another room"
					if !$ours && $name =~ $_->[0] && $file !~ $_->[1];
			}
		}
	}
}
plan skip_all => 'no sources' unless $count;
ok(!@bad, "all $count includes go downward, libraries stay in their rooms") or diag(join "\n", @bad);
open my $f, '<', 'text.c' or die;
is(join(' ', map { /^#include "(.*)"/ } <$f>), 'cyphonic.h', 'text.c stands on cyphonic.h alone');

# no circle among headers: each can be read after those it includes
my %needs;
for my $header (glob 'cyphonic.h crypto/*.h store/*.h net/*.h net/proto/*.h net/io/*.h roles/*.h') {
	open my $h, '<', $header or die;
	$needs{$header} = [grep { /\.h$/ } map { /^#include "(.*)"/ } <$h>];
}
my (%state, @circle);
sub visit {
	my ($h) = @_;
	return push @circle, $h if ($state{$h} // '') eq 'open';
	return if $state{$h};
	$state{$h} = 'open';
	visit($_) for @{$needs{$h} // []};
	$state{$h} = 'done';
}
visit($_) for sort keys %needs;
ok(!@circle, scalar(keys %needs) . ' headers include each other in no circle') or diag("@circle");
done_testing();
