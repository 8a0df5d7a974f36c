# install.mk - where everything goes.  make install | make uninstall | make deb | make check-deb
# DESTDIR=, PREFIX=/usr/local; systemd looks below /usr/local too.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/cyphonic
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/vendor-completions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL ?= install
# a package's copy has no symbols: make install STRIP=-s
STRIP ?=

PAGES := $(wildcard man/*.[1-9])
UNITS := cyphonic.service cyphonic-node.service
completions := bash:$(BASHDIR)/cyphonic zsh:$(ZSHDIR)/_cyphonic fish:$(FISHDIR)/cyphonic.fish

install: all
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) \
		$(DESTDIR)$(TMPFILESDIR) $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)/etc/cyphonic
	$(INSTALL) $(STRIP) -m 755 $O/cyphonic $(DESTDIR)$(SBINDIR)/cyphonic
	for p in $(PAGES); do d=$(DESTDIR)$(MANDIR)/man$${p##*.}; \
		$(INSTALL) -d $$d && gzip -9nc $$p >$$d/$${p##*/}.gz && chmod 644 $$d/$${p##*/}.gz || exit 1; done
	for u in $(UNITS); do sed 's|/usr/sbin/|$(SBINDIR)/|' dist/$$u >$(DESTDIR)$(UNITDIR)/$$u && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	$(INSTALL) -m 644 dist/cyphonic.sysusers $(DESTDIR)$(SYSUSERSDIR)/cyphonic.conf
	$(INSTALL) -m 644 dist/cyphonic.tmpfiles $(DESTDIR)$(TMPFILESDIR)/cyphonic.conf
	$(INSTALL) -m 644 config.example.yaml $(DESTDIR)$(DOCDIR)/examples/cyphonic.yaml
	$(INSTALL) -m 644 README.md LICENSE $(DESTDIR)$(DOCDIR)/
	@# completions, where this program prints some
	for c in $(completions); do f=$(DESTDIR)$${c#*:}; \
		if $O/cyphonic completion $${c%%:*} >build/completion 2>/dev/null; then \
			$(INSTALL) -D -m 644 build/completion $$f || exit 1; fi; done

# what was configured and kept stays: /etc/cyphonic, /var/lib/cyphonic, the user
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/cyphonic $(UNITS:%=$(DESTDIR)$(UNITDIR)/%) \
		$(DESTDIR)$(SYSUSERSDIR)/cyphonic.conf $(DESTDIR)$(TMPFILESDIR)/cyphonic.conf \
		$(foreach c,$(completions),$(DESTDIR)$(lastword $(subst :, ,$c)))
	for p in $(PAGES); do rm -f $(DESTDIR)$(MANDIR)/man$${p##*.}/$${p##*/}.gz; done
	rm -rf $(DESTDIR)$(DOCDIR)
	rmdir $(DESTDIR)/etc/cyphonic 2>/dev/null || true

# build/cyphonic_VERSION_ARCH.deb
deb: all
	O=$O MAKE="$(MAKE)" dist/deb/build build

# it in a Debian that knows nothing of us, under systemd; slow, as root
check-deb: deb
	dist/deb/check build/cyphonic_*_$$(dpkg --print-architecture).deb

.PHONY: install uninstall deb check-deb
