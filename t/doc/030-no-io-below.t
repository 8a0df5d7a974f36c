#!/usr/bin/perl
# Below net/io/ nothing asks for the time, opens a file or touches a socket: the object files
# say what they call.  crypto/ca.c keeps the CA's files and is the one exception.
use strict;
use warnings;
use Test::More;

my $O = $ENV{O} || 'build/plain';
my %allowed = ('crypto/ca.o' => 'files');

my %calls = (
	clock => 'time clock clock_gettime clock_nanosleep gettimeofday times nanosleep sleep usleep
		alarm setitimer timer_create timerfd_create',
	sockets => 'socket socketpair bind listen accept accept4 connect send sendto sendmsg sendmmsg recv
		recvfrom recvmsg recvmmsg setsockopt getsockopt getsockname getpeername shutdown getaddrinfo
		gethostbyname if_nametoindex poll ppoll select pselect epoll_create1 epoll_ctl epoll_wait',
	files => 'open open64 openat openat64 creat fopen fopen64 freopen fdopen tmpfile opendir fdopendir
		read pread pread64 readv write pwrite pwrite64 writev close ioctl fcntl fcntl64 mmap mmap64
		stat stat64 lstat lstat64 fstat fstat64 fstatat access rename renameat unlink unlinkat mkdir
		rmdir link symlink truncate ftruncate fsync fdatasync sync chmod chown umask readlink realpath',
	processes => 'fork vfork clone system popen execv execve execvp execl execlp kill signal sigaction
		pthread_create setuid setgid getenv secure_getenv',
	chance => 'rand srand random srandom drand48 getrandom getentropy arc4random',
);
my %kind;
for my $kind (keys %calls) {
	$kind{$_} = $kind for split ' ', $calls{$kind};
}

for my $room (qw(net/proto roles crypto)) {
	my @objects = sort grep { -e s{^\Q$O\E/(.*)\.o$}{$1.c}r } glob "$O/$room/*.o";
	my @bad;
	for my $object (@objects) {
		my $name = $object =~ s{^\Q$O\E/}{}r;
		for (`nm -u $object`) {
			my ($symbol) = /\bU\s+(\w+)/ or next;
			$symbol =~ s/^__(?:isoc99_)?(\w+?)(?:_chk|_2|64_time64)$/$1/;
			my $kind = $kind{$symbol} or next;
			push @bad, "$name calls $symbol ($kind)" unless ($allowed{$name} // '') eq $kind;
		}
	}
SKIP: {
		skip "no objects in $O/$room", 1 unless @objects;
		ok(!@bad, "$room/: " . @objects . ' objects without clock, socket, file or process')
			or diag(join "\n", @bad);
	}
}
done_testing();
