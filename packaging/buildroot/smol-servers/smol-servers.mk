# What is committed in the checkout that BR2_EXTERNAL is a folder of. Without local-time: the zones
# are another package.

SMOL_SERVERS_SITE = $(abspath $(BR2_EXTERNAL_SMOL_SERVERS_PATH)/../..)
SMOL_SERVERS_SITE_METHOD = git
SMOL_SERVERS_VERSION = $(shell git -C $(SMOL_SERVERS_SITE) rev-parse HEAD)
SMOL_SERVERS_LICENSE = MIT or Apache-2.0
SMOL_SERVERS_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
SMOL_SERVERS_SUBDIR = packaging/multicall
SMOL_SERVERS_CARGO_BUILD_OPTS = --no-default-features --features one-thread
SMOL_SERVERS_CARGO_INSTALL_OPTS = $(SMOL_SERVERS_CARGO_BUILD_OPTS)

define SMOL_SERVERS_LINKS
	$(foreach name,echo time chat,ln -sf smol-servers $(TARGET_DIR)/usr/bin/smol-$(name);)
endef
SMOL_SERVERS_POST_INSTALL_TARGET_HOOKS += SMOL_SERVERS_LINKS

$(eval $(cargo-package))
