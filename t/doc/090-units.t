#!/usr/bin/perl
# What dist/ has for systemd: units that systemd understands, with little exposure.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

# the highest "overall exposure level" of `systemd-analyze security`, in tenths
my %most = ('cyphonic.service' => 12, 'cyphonic-node.service' => 29);

sub slurp {
	open my $f, '<', $_[0] or die "$_[0]: $!";
	local $/;
	return scalar <$f>;
}

my %unit = map { $_ => slurp("dist/$_") } sort keys %most;
for my $name (sort keys %unit) {
	for my $line (split /\n/, $unit{$name}) {
		fail("$name: '$line' is neither empty, nor a comment, nor a setting")
			unless $line =~ /^(?:|#.*|\[\w+\]|[A-Z]\w*=.*)$/;
	}
	like($unit{$name}, qr/^Type=notify$/m, "$name waits until the daemon is ready");
	like($unit{$name}, qr/^ConditionPathExists=\/etc\/cyphonic\/cyphonic\.yaml$/m,
		"$name starts nothing that is not configured");
	like($unit{$name}, qr/^WatchdogSec=/m, "$name has a watchdog");
}
unlike($unit{'cyphonic.service'}, qr/^(?:Capability|Ambient)\w+=\S/m, 'services get no capability');
my ($user) = slurp('dist/cyphonic.sysusers') =~ /^u (\S+)/m;
my ($default) = slurp('store/config.def') =~ /STRING\(user, "user", \d+, "([^"]+)"/;
is($user, $default, "sysusers makes the user that is the default of 'user'");
is(join(' ', slurp('dist/cyphonic.tmpfiles') =~ /^d (\S+) \S+ \Q$user\E \Q$user\E/mg),
	join(' ', slurp('store/config.def') =~ /^STRING\((?:state|run), .*?"(\/[^"]+)", PATH/mg),
	'tmpfiles makes the directories that are the defaults of state and run, as that user');

SKIP: {
	my $version = (`systemd-analyze --version 2>/dev/null` =~ /^systemd (\d+)/) ? $1 : 0;
	skip 'no systemd-analyze 250 or later', 2 * keys %unit if $version < 250;
	my $dir = tempdir(CLEANUP => 1);
	for my $name (sort keys %unit) {
		# verify wants a program that is there
		open my $f, '>', "$dir/$name" or die;
		print $f $unit{$name} =~ s{/usr/sbin/cyphonic}{/bin/true}r;
		close $f;
		is(scalar `systemd-analyze verify --man=no $dir/$name 2>&1`, '', "systemd understands all of $name");
		my $said = `systemd-analyze security --no-pager --offline=true $dir/$name 2>&1`;
		my ($level) = $said =~ /Overall exposure level for \S+: ([\d.]+)/;
		ok(defined $level && $level * 10 <= $most{$name} + 0.01,
			sprintf '%s has an exposure of %s of 10, at most %.1f', $name, $level // '?', $most{$name} / 10)
			or diag($said);
	}
}
done_testing();
