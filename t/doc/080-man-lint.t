#!/usr/bin/perl
# mandoc has nothing to say about the pages.
use strict;
use warnings;
use Test::More;

my @pages = sort grep { -f } glob 'man/*.[1-9]';
plan skip_all => 'mandoc is not installed' if system('command -v mandoc >/dev/null') != 0;
plan skip_all => 'no pages in man/' unless @pages;

for my $page (@pages) {
	is(scalar `mandoc -T lint -W warning $page 2>&1`, '', "$page is clean");
}
done_testing();
