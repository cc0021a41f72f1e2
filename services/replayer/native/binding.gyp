{
  'targets': [
    {
      'target_name': 'capfleet_pacer',
      'sources': [
        'core/clock_facts.c',
        'core/departure.c',
        'core/histogram.c',
        'core/interface_facts.c',
        'core/link_af_packet.c',
        'core/link_file.c',
        'core/link_null.c',
        'core/margin.c',
        'core/pacer.c',
        'core/placement.c',
        'core/priority.c',
        'core/ring.c',
        'core/transmit_stamps.c',
        'core/wait.c',
        'glue/addon.c',
      ],
      'include_dirs': ['include'],
      'cflags': ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror=implicit-function-declaration', '-pthread'],
      'ldflags': ['-pthread'],
    },
  ],
}
