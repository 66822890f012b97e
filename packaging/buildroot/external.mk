include $(BR2_EXTERNAL_SMOL_SERVERS_PATH)/smol-servers/smol-servers.mk
