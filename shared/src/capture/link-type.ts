// LINKTYPE_ values of captures that more than one module knows by name.

export const LINKTYPE_ETHERNET = 1;
