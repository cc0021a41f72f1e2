#define _GNU_SOURCE
#include "interface_facts.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t ethtool_value(int socket, struct ifreq *request, uint32_t command) {
    struct ethtool_value value = {.cmd = command};
    request->ifr_data = (char *)&value;
    return ioctl(socket, SIOCETHTOOL, request) == 0 ? value.data : 0;
}

int interface_facts_at(int socket, const char *name, struct interface_facts *out, const char **syscall) {
    *syscall = "ioctl";
    size_t length = strlen(name);
    if (length == 0 || length >= IFNAMSIZ) return ENODEV;
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, length);

    if (ioctl(socket, SIOCGIFINDEX, &request) < 0) return errno;
    out->index = request.ifr_ifindex;
    if (ioctl(socket, SIOCGIFMTU, &request) < 0) return errno;
    out->mtu = request.ifr_mtu;
    if (ioctl(socket, SIOCGIFFLAGS, &request) < 0) return errno;
    out->up = request.ifr_flags & IFF_UP;
    out->running = request.ifr_flags & IFF_RUNNING;
    out->loopback = request.ifr_flags & IFF_LOOPBACK;
    if (ioctl(socket, SIOCGIFHWADDR, &request) < 0) return errno;
    out->hardware_type = request.ifr_hwaddr.sa_family;
    out->merges = ethtool_value(socket, &request, ETHTOOL_GGRO) != 0 ||
                  (ethtool_value(socket, &request, ETHTOOL_GFLAGS) & ETH_FLAG_LRO) != 0;
    return 0;
}

int interface_facts(const char *name, struct interface_facts *out, const char **syscall) {
    *syscall = "socket";
    int any = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (any < 0) return errno;
    int error = interface_facts_at(any, name, out, syscall);
    close(any);
    return error;
}

bool interface_has_carrier(int socket, const char *name) {
    struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
    struct ifreq request = {.ifr_data = (char *)&value};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(socket, SIOCETHTOOL, &request) == 0) return value.data != 0;
    struct interface_facts facts;
    const char *syscall;
    return interface_facts_at(socket, name, &facts, &syscall) == 0 && facts.running;
}
