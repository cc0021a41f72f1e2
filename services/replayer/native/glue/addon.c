/*
 * The native core as a Node-API module, and the only file that knows Node. It converts, and throws: TypeError for a
 * value of the wrong type, Error with code, errno, syscall and link for what the system refused. It has no defaults.
 *
 * A handle owns its pacer; the ring's memory is shared with its ArrayBuffer, so either may go first. The pacing thread
 * never calls into JavaScript. It is joined when the handle is closed or collected or its environment ends, whichever
 * is first; there is no state outside handles, so any number of threads may load the module.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_compile.h"
#include "capabilities.h"
#include "clock_facts.h"
#include "histogram.h"
#include "interface_facts.h"
#include "monotonic.h"
#include "pacer.h"
#include "priority.h"
#include "wall_offset.h"

static const napi_type_tag HANDLE_TAG = {0x6d0c5e8f2b7a4913, 0xb1f4a2d89c3e6075};

struct handle {
    struct pacer *pacer;
    struct ring *ring;
    napi_ref memory; /* the ring's ArrayBuffer, once asked for */
    bool hooked;     /* the environment's end closes it */
};

/* Throwing. All return NULL, so that a callback may end with them; an exception already pending stays. */

static napi_value throw_type_error(napi_env env, const char *name, const char *wanted) {
    char message[256];
    snprintf(message, sizeof message, "%s must be %s", name, wanted);
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
    return NULL;
}

static napi_value throw_node_error(napi_env env) {
    const napi_extended_error_info *info;
    bool pending = false;
    napi_get_last_error_info(env, &info);
    const char *message = info->error_message != NULL ? info->error_message : "Node-API call failed";
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_error(env, NULL, message);
    return NULL;
}

static void set_string(napi_env env, napi_value object, const char *key, const char *text) {
    napi_value value;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, object, key, value);
}

static void set_number(napi_env env, napi_value object, const char *key, int64_t number) {
    napi_value value;
    napi_create_int64(env, number, &value);
    napi_set_named_property(env, object, key, value);
}

static void set_bigint(napi_env env, napi_value object, const char *key, int64_t number) {
    napi_value value;
    napi_create_bigint_int64(env, number, &value);
    napi_set_named_property(env, object, key, value);
}

static void set_boolean(napi_env env, napi_value object, const char *key, bool truth) {
    napi_value value;
    napi_get_boolean(env, truth, &value);
    napi_set_named_property(env, object, key, value);
}

static napi_value throw_system_error(napi_env env, int error, const char *syscall, const char *link) {
    const char *name = strerrorname_np(error);
    if (name == NULL) name = "UNKNOWN";
    char message[256];
    snprintf(message, sizeof message, "%s: %s, %s", name, strerror(error), syscall);

    napi_value code, text, thrown;
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code);
    napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text);
    if (napi_create_error(env, code, text, &thrown) != napi_ok) return throw_node_error(env);
    set_number(env, thrown, "errno", -error); /* the sign that Node's own errors have */
    set_string(env, thrown, "syscall", syscall);
    if (link != NULL) set_string(env, thrown, "link", link);
    napi_throw(env, thrown);
    return NULL;
}

/* Reading arguments. Each returns false with an exception pending if the value has another type. */

static bool read_arguments(napi_env env, napi_callback_info call, size_t count, napi_value *arguments) {
    size_t given = count;
    if (napi_get_cb_info(env, call, &given, arguments, NULL, NULL) == napi_ok) return true;
    throw_node_error(env);
    return false;
}

static bool is_type(napi_env env, napi_value value, napi_valuetype wanted) {
    napi_valuetype type;
    return napi_typeof(env, value, &type) == napi_ok && type == wanted;
}

static bool read_number(napi_env env, napi_value value, const char *name, int64_t *out) {
    if (napi_get_value_int64(env, value, out) == napi_ok) return true;
    throw_type_error(env, name, "a number");
    return false;
}

/*
 * A text that doesn't fit is cut: out must have room for one that the system finds too long, or that is no known word.
 */
static bool read_string(napi_env env, napi_value value, const char *name, char *out, size_t size) {
    size_t length;
    if (napi_get_value_string_utf8(env, value, out, size, &length) == napi_ok && strlen(out) == length) return true;
    throw_type_error(env, name, "a string without NUL");
    return false;
}

static bool read_handle(napi_env env, napi_value value, struct handle **out) {
    bool ours = false;
    if (is_type(env, value, napi_external) && napi_check_object_type_tag(env, value, &HANDLE_TAG, &ours) == napi_ok &&
        ours && napi_get_value_external(env, value, (void **)out) == napi_ok)
        return true;
    throw_type_error(env, "handle", "from createPacer");
    return false;
}

static bool read_counts(napi_env env, napi_value value, size_t least, int64_t **out) {
    napi_typedarray_type type;
    size_t length;
    bool typed = false;
    if (napi_is_typedarray(env, value, &typed) == napi_ok && typed &&
        napi_get_typedarray_info(env, value, &type, &length, (void **)out, NULL, NULL) == napi_ok &&
        type == napi_bigint64_array && length >= least)
        return true;
    throw_type_error(env, "out", "a BigInt64Array that is long enough");
    return false;
}

static bool get_property(napi_env env, napi_value object, const char *key, napi_value *out) {
    if (napi_get_named_property(env, object, key, out) == napi_ok) return true;
    throw_node_error(env);
    return false;
}

static bool get_number(napi_env env, napi_value object, const char *key, int64_t *out) {
    napi_value value;
    return get_property(env, object, key, &value) && read_number(env, value, key, out);
}

static bool get_boolean(napi_env env, napi_value object, const char *key, bool *out) {
    napi_value value;
    if (!get_property(env, object, key, &value)) return false;
    if (napi_get_value_bool(env, value, out) == napi_ok) return true;
    throw_type_error(env, key, "a boolean");
    return false;
}

static bool get_string(napi_env env, napi_value object, const char *key, char *out, size_t size) {
    napi_value value;
    return get_property(env, object, key, &value) && read_string(env, value, key, out, size);
}

static const struct link_operations *link_named(const char *name) {
    static const struct link_operations *const links[] = {&link_af_packet, &link_af_xdp, &link_null, &link_file};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (strcmp(links[i]->name, name) == 0) return links[i];
    return NULL;
}

static bool spin_named(const char *name, enum wait_spin *out) {
    static const char *const names[] = {[WAIT_SPIN_NONE] = "none", [WAIT_SPIN_AUTO] = "auto", [WAIT_SPIN_MAX] = "max"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *out = (enum wait_spin)i;
        return true;
    }
    return false;
}

static bool stamps_named(const char *name, enum departure_mode *out) {
    static const char *const names[] = {
        [DEPARTURE_OFF] = "off", [DEPARTURE_SAMPLE] = "sample", [DEPARTURE_ALL] = "all"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *out = (enum departure_mode)i;
        return true;
    }
    return false;
}

/* How the pacing thread works, beside the link. */
static bool read_pacing(napi_env env, napi_value options, struct pacer_options *out) {
    char stamps[32];
    int64_t cpu;
    if (!get_boolean(env, options, "realtime", &out->realtime) || !get_number(env, options, "cpu", &cpu) ||
        !get_boolean(env, options, "lockMemory", &out->lock_memory) ||
        !get_string(env, options, "txStamps", stamps, sizeof stamps))
        return false;
    if (!stamps_named(stamps, &out->stamps)) {
        throw_type_error(env, "txStamps", "'off', 'sample' or 'all'");
        return false;
    }
    out->cpu = cpu < -1 || cpu > INT_MAX ? INT_MAX : (int)cpu;
    out->link_options.transmit_stamps = out->stamps != DEPARTURE_OFF;
    return true;
}

/* The handle's life. */

static void close_at_exit(void *data) {
    struct handle *handle = data;
    handle->hooked = false;
    pacer_close(handle->pacer);
}

static void free_handle(napi_env env, void *data, void *hint) {
    (void)hint;
    struct handle *handle = data;
    if (handle->hooked) napi_remove_env_cleanup_hook(env, close_at_exit, handle);
    if (handle->memory != NULL) napi_delete_reference(env, handle->memory);
    pacer_free(handle->pacer);
    ring_release(handle->ring);
    free(handle);
}

static void release_memory(napi_env env, void *data, void *hint) {
    (void)env;
    (void)data;
    ring_release(hint);
}

struct creation {
    struct pacer_options pacer;
    int64_t ring_bytes;
    char interface[64];
    char path[PATH_MAX + 8];
};

static bool read_creation(napi_env env, napi_value options, struct creation *out) {
    char link[32], spin[32];
    int64_t link_type;
    if (!is_type(env, options, napi_object)) {
        throw_type_error(env, "options", "an object");
        return false;
    }
    if (!get_string(env, options, "link", link, sizeof link) ||
        !get_string(env, options, "interface", out->interface, sizeof out->interface) ||
        !get_boolean(env, options, "qdiscBypass", &out->pacer.link_options.qdisc_bypass) ||
        !get_string(env, options, "path", out->path, sizeof out->path) ||
        !get_number(env, options, "linkType", &link_type) ||
        !get_number(env, options, "ringBytes", &out->ring_bytes) ||
        !get_string(env, options, "spin", spin, sizeof spin) ||
        !read_pacing(env, options, &out->pacer) ||
        !get_number(env, options, "lateDropNs", &out->pacer.late_drop_ns) ||
        !get_number(env, options, "maxBatch", &out->pacer.max_batch))
        return false;
    out->pacer.link = link_named(link);
    if (out->pacer.link == NULL) {
        throw_type_error(env, "link", "'af_packet', 'af_xdp', 'null' or 'file'");
        return false;
    }
    if (!spin_named(spin, &out->pacer.spin)) {
        throw_type_error(env, "spin", "'none', 'auto' or 'max'");
        return false;
    }
    out->pacer.link_options.interface = out->interface;
    out->pacer.link_options.path = out->path;
    out->pacer.link_options.link_type = (uint32_t)link_type;
    return true;
}

static napi_value create_pacer(napi_env env, napi_callback_info call) {
    napi_value options, external;
    struct creation creation = {0};
    if (!read_arguments(env, call, 1, &options) || !read_creation(env, options, &creation)) return NULL;

    struct handle *handle = calloc(1, sizeof *handle);
    if (handle == NULL) return throw_system_error(env, ENOMEM, "calloc", NULL);
    int error = creation.ring_bytes < 0 ? EINVAL : ring_create((size_t)creation.ring_bytes, &handle->ring);
    if (error != 0) {
        free(handle);
        return throw_system_error(env, error, "ring", NULL);
    }
    const char *syscall;
    error = pacer_open(&creation.pacer, handle->ring, &handle->pacer, &syscall);
    if (error != 0) {
        ring_release(handle->ring);
        free(handle);
        return throw_system_error(env, error, syscall, creation.pacer.link->name);
    }
    if (napi_create_external(env, handle, free_handle, NULL, &external) != napi_ok) {
        free_handle(env, handle, NULL);
        return throw_node_error(env);
    }
    handle->hooked = napi_add_env_cleanup_hook(env, close_at_exit, handle) == napi_ok;
    if (!handle->hooked || napi_type_tag_object(env, external, &HANDLE_TAG) != napi_ok) return throw_node_error(env);
    return external;
}

static napi_value ring(napi_env env, napi_callback_info call) {
    napi_value value, buffer;
    struct handle *handle;
    if (!read_arguments(env, call, 1, &value) || !read_handle(env, value, &handle)) return NULL;
    if (handle->memory != NULL) {
        if (napi_get_reference_value(env, handle->memory, &buffer) != napi_ok) return throw_node_error(env);
        return buffer;
    }
    struct ring *shared = ring_retain(handle->ring);
    if (napi_create_external_arraybuffer(env, ring_memory(shared), ring_capacity(shared), release_memory, shared,
                                         &buffer) != napi_ok) {
        ring_release(shared);
        return throw_node_error(env);
    }
    if (napi_create_reference(env, buffer, 1, &handle->memory) != napi_ok) return throw_node_error(env);
    return buffer;
}

/* What is done with a handle. */

static napi_value commit(napi_env env, napi_callback_info call) {
    napi_value arguments[2], tail;
    struct handle *handle;
    int64_t head;
    if (!read_arguments(env, call, 2, arguments) || !read_handle(env, arguments[0], &handle) ||
        !read_number(env, arguments[1], "head", &head))
        return NULL;
    if (napi_create_int64(env, (int64_t)ring_commit(handle->ring, (uint64_t)head), &tail) != napi_ok)
        return throw_node_error(env);
    return tail;
}

static napi_value end(napi_env env, napi_callback_info call) {
    napi_value value;
    struct handle *handle;
    if (read_arguments(env, call, 1, &value) && read_handle(env, value, &handle)) ring_end(handle->ring);
    return NULL;
}

static bool read_instant(napi_env env, napi_value value, const char *name, int64_t *out) {
    bool lossless;
    if (napi_get_value_bigint_int64(env, value, out, &lossless) == napi_ok && lossless) return true;
    throw_type_error(env, name, "a bigint of 64 bits");
    return false;
}

static napi_value start(napi_env env, napi_callback_info call) {
    napi_value arguments[2];
    struct handle *handle;
    int64_t t0;
    if (!read_arguments(env, call, 2, arguments) || !read_handle(env, arguments[0], &handle) ||
        !read_instant(env, arguments[1], "t0", &t0))
        return NULL;
    int error = pacer_start(handle->pacer, t0);
    if (error != 0) throw_system_error(env, error, "start", NULL);
    return NULL;
}

static napi_value act(napi_env env, napi_callback_info call, void (*action)(struct pacer *pacer)) {
    napi_value value;
    struct handle *handle;
    if (read_arguments(env, call, 1, &value) && read_handle(env, value, &handle)) action(handle->pacer);
    return NULL;
}

static napi_value stop(napi_env env, napi_callback_info call) {
    return act(env, call, pacer_stop);
}

static napi_value pause_pacer(napi_env env, napi_callback_info call) {
    return act(env, call, pacer_pause);
}

static napi_value resume(napi_env env, napi_callback_info call) {
    return act(env, call, pacer_resume);
}

static napi_value steer(napi_env env, napi_callback_info call) {
    napi_value arguments[4];
    struct handle *handle;
    int64_t since, at, shift;
    if (read_arguments(env, call, 4, arguments) && read_handle(env, arguments[0], &handle) &&
        read_instant(env, arguments[1], "since", &since) && read_instant(env, arguments[2], "at", &at) &&
        read_instant(env, arguments[3], "shift", &shift))
        pacer_steer(handle->pacer, since, at, shift);
    return NULL;
}

static napi_value act_at(napi_env env, napi_callback_info call, const char *name,
                         void (*action)(struct pacer *, int64_t)) {
    napi_value arguments[2];
    struct handle *handle;
    int64_t instant;
    if (read_arguments(env, call, 2, arguments) && read_handle(env, arguments[0], &handle) &&
        read_instant(env, arguments[1], name, &instant))
        action(handle->pacer, instant);
    return NULL;
}

static napi_value lease(napi_env env, napi_callback_info call) {
    return act_at(env, call, "until", pacer_lease);
}

static napi_value join(napi_env env, napi_callback_info call) {
    return act_at(env, call, "from", pacer_join);
}

static napi_value close_pacer(napi_env env, napi_callback_info call) {
    return act(env, call, pacer_close);
}

static napi_value stats(napi_env env, napi_callback_info call) {
    napi_value arguments[2];
    struct handle *handle;
    int64_t *out;
    if (read_arguments(env, call, 2, arguments) && read_handle(env, arguments[0], &handle) &&
        read_counts(env, arguments[1], STAT_COUNT, &out))
        pacer_stats(handle->pacer, out);
    return NULL;
}

static napi_value copy_counts(napi_env env, napi_callback_info call,
                              int64_t (*copy)(const struct pacer *pacer, int64_t *out)) {
    napi_value arguments[2], samples;
    struct handle *handle;
    int64_t *out;
    if (!read_arguments(env, call, 2, arguments) || !read_handle(env, arguments[0], &handle) ||
        !read_counts(env, arguments[1], HISTOGRAM_BUCKETS, &out))
        return NULL;
    if (napi_create_int64(env, copy(handle->pacer, out), &samples) != napi_ok) return throw_node_error(env);
    return samples;
}

static napi_value histogram(napi_env env, napi_callback_info call) {
    return copy_counts(env, call, pacer_histogram);
}

static napi_value departures(napi_env env, napi_callback_info call) {
    return copy_counts(env, call, pacer_departures);
}

/* What needs no handle. */

static napi_value realtime_allowed(napi_env env, napi_callback_info call) {
    (void)call;
    napi_value truth;
    if (napi_get_boolean(env, priority_allowed(), &truth) != napi_ok) return throw_node_error(env);
    return truth;
}

static napi_value upper_bound(napi_env env, napi_callback_info call) {
    napi_value value, bound;
    int64_t bucket;
    if (!read_arguments(env, call, 1, &value) || !read_number(env, value, "bucket", &bucket))
        return NULL;
    if (napi_create_int64(env, histogram_upper_bound((size_t)bucket), &bound) != napi_ok) return throw_node_error(env);
    return bound;
}

static napi_value facts_of_interface(napi_env env, napi_callback_info call) {
    napi_value value, result;
    char name[64];
    struct interface_facts facts;
    const char *syscall;
    if (!read_arguments(env, call, 1, &value) || !read_string(env, value, "name", name, sizeof name))
        return NULL;
    int error = interface_facts(name, &facts, &syscall);
    if (error != 0) return throw_system_error(env, error, syscall, NULL);
    if (napi_create_object(env, &result) != napi_ok) return throw_node_error(env);
    set_number(env, result, "index", facts.index);
    set_number(env, result, "mtu", facts.mtu);
    set_boolean(env, result, "up", facts.up);
    set_boolean(env, result, "running", facts.running);
    set_boolean(env, result, "loopback", facts.loopback);
    set_number(env, result, "hardwareType", facts.hardware_type);
    set_boolean(env, result, "merges", facts.merges);
    return result;
}

static napi_value facts_of_clock(napi_env env, napi_callback_info call) {
    (void)call;
    napi_value result;
    struct clock_facts facts;
    int error = clock_facts(&facts);
    if (error != 0) return throw_system_error(env, error, "adjtimex", NULL);
    if (napi_create_object(env, &result) != napi_ok) return throw_node_error(env);
    set_number(env, result, "state", facts.state);
    set_number(env, result, "status", facts.status);
    set_number(env, result, "maxErrorUs", facts.max_error_us);
    set_number(env, result, "estimatedErrorUs", facts.estimated_error_us);
    set_number(env, result, "taiOffset", facts.tai_offset);
    return result;
}

static napi_value offset_of_wall_clock(napi_env env, napi_callback_info call) {
    napi_value value, result;
    int64_t readings;
    if (!read_arguments(env, call, 1, &value) || !read_number(env, value, "readings", &readings)) return NULL;
    if (readings < 1 || readings > INT_MAX) return throw_system_error(env, EINVAL, "clock_gettime", NULL);
    struct wall_offset known = wall_offset_read((int)readings);
    if (napi_create_object(env, &result) != napi_ok) return throw_node_error(env);
    set_bigint(env, result, "offset", known.offset);
    set_bigint(env, result, "bound", known.bound);
    return result;
}

static napi_value throw_coded(napi_env env, const char *code, const char *message) {
    napi_throw_error(env, code, message);
    return NULL;
}

/* code, jt, jf and k of each instruction, one behind the other. */
static napi_value flat_code(napi_env env, const struct bpf_code *code) {
    napi_value result, number;
    if (napi_create_array_with_length(env, code->count * 4, &result) != napi_ok) return throw_node_error(env);
    for (size_t i = 0; i < code->count; i++) {
        const struct sock_filter *instruction = &code->instructions[i];
        const uint32_t fields[] = {instruction->code, instruction->jt, instruction->jf, instruction->k};
        for (size_t j = 0; j < 4; j++) {
            if (napi_create_uint32(env, fields[j], &number) != napi_ok ||
                napi_set_element(env, result, (uint32_t)(i * 4 + j), number) != napi_ok)
                return throw_node_error(env);
        }
    }
    return result;
}

static napi_value compile_filter(napi_env env, napi_callback_info call) {
    napi_value value;
    size_t length;
    if (!read_arguments(env, call, 1, &value)) return NULL;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
        return throw_type_error(env, "expression", "a string");
    char *expression = malloc(length + 1);
    if (expression == NULL) return throw_system_error(env, ENOMEM, "malloc", NULL);
    if (!read_string(env, value, "expression", expression, length + 1)) {
        free(expression);
        return NULL;
    }
    struct bpf_code code = {0};
    char message[BPF_MESSAGE_BYTES];
    enum bpf_compiled compiled = bpf_compile(expression, &code, message);
    free(expression);
    switch (compiled) {
    case BPF_INVALID:
        return throw_coded(env, "BPF_INVALID", message);
    case BPF_NO_LIBPCAP:
        return throw_coded(env, "BPF_NO_LIBPCAP", message);
    case BPF_NO_MEMORY:
        return throw_system_error(env, ENOMEM, "malloc", NULL);
    case BPF_COMPILED:
        break;
    }
    napi_value result = flat_code(env, &code);
    free(code.instructions);
    return result;
}

static napi_value now(napi_env env, napi_callback_info call) {
    (void)call;
    napi_value instant;
    if (napi_create_bigint_int64(env, monotonic_now(), &instant) != napi_ok) return throw_node_error(env);
    return instant;
}

#define METHOD(name, function) {name, NULL, function, NULL, NULL, NULL, napi_enumerable, NULL}

NAPI_MODULE_INIT() {
    capabilities_raise();
    static const napi_property_descriptor methods[] = {
        METHOD("createPacer", create_pacer),
        METHOD("ring", ring),
        METHOD("commit", commit),
        METHOD("end", end),
        METHOD("start", start),
        METHOD("stop", stop),
        METHOD("pause", pause_pacer),
        METHOD("resume", resume),
        METHOD("steer", steer),
        METHOD("lease", lease),
        METHOD("join", join),
        METHOD("stats", stats),
        METHOD("histogram", histogram),
        METHOD("departures", departures),
        METHOD("histogramUpperBound", upper_bound),
        METHOD("close", close_pacer),
        METHOD("interfaceFacts", facts_of_interface),
        METHOD("clockFacts", facts_of_clock),
        METHOD("wallOffset", offset_of_wall_clock),
        METHOD("compileFilter", compile_filter),
        METHOD("monotonicNow", now),
        METHOD("realtimeAllowed", realtime_allowed),
    };
    if (napi_define_properties(env, exports, sizeof methods / sizeof *methods, methods) != napi_ok) {
        throw_node_error(env);
        return NULL;
    }
    return exports;
}
